import { assert } from '../errors.ts';
import type { QueuedJob } from '../jobs/job.ts';
import { LIMITS } from '../limits.ts';
import { firstKeyOf, Lane, orderKey } from './lane.ts';
import { SortedRun } from './sorted-run.ts';

/** What is queued in one queue. */
export interface QueueOfLanes {
  readonly name: string;
  /** By project. */
  readonly lanes: ReadonlyMap<string, Lane>;
  readonly size: number;
  readonly highestPriority: number;
}

interface Mutable extends QueueOfLanes {
  readonly lanes: Map<string, Lane>;
  readonly sizes: Map<string, number>;
  readonly byPriority: Uint32Array;
  size: number;
  highestPriority: number;
}

/** All queued jobs: by queue, there by project, and there in order. Whose turn it is between them: `Turns`. */
export class JobQueue {
  readonly #queues = new Map<string, Mutable>();
  /** All lanes, to draw from by chance. */
  readonly #lanes = new SortedRun<Lane>();
  #lanesMade = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get queues(): ReadonlyMap<string, QueueOfLanes> {
    return this.#queues;
  }

  sizeOfLane(queue: string, project: string): number {
    return this.#queues.get(queue)?.sizes.get(project) ?? 0;
  }

  add(job: QueuedJob): void {
    const { queue: name, project, priority } = job.plan;
    const queue = this.#queues.get(name) ?? emptyQueue(name);
    this.#queues.set(name, queue);
    const lane = queue.lanes.get(project) ?? this.#openLane(queue, project);
    lane.add(job);
    this.#size += 1;
    queue.size += 1;
    queue.sizes.set(project, (queue.sizes.get(project) ?? 0) + 1);
    queue.byPriority[priority] = (queue.byPriority[priority] ?? 0) + 1;
    queue.highestPriority = Math.max(queue.highestPriority, priority);
  }

  remove(job: QueuedJob): void {
    const { queue: name, project, priority } = job.plan;
    const queue = this.#queues.get(name);
    const lane = queue?.lanes.get(project);
    assert(queue !== undefined && lane !== undefined, 'a queued job is in the queue');
    lane.remove(job);
    this.#size -= 1;
    queue.size -= 1;
    const left = (queue.sizes.get(project) ?? 0) - 1;
    if (left > 0) queue.sizes.set(project, left);
    else this.#closeLane(queue, lane);
    if (queue.size === 0) this.#queues.delete(name);
    const sameLeft = (queue.byPriority[priority] ?? 0) - 1;
    queue.byPriority[priority] = sameLeft;
    if (sameLeft === 0 && priority === queue.highestPriority) {
      queue.highestPriority = queue.byPriority.findLastIndex((count) => count > 0);
    }
  }

  /** How many jobs surely come before this one: those of higher priority, and older ones of its queue and project. */
  ahead(job: QueuedJob): number {
    const { queue, project, priority } = job.plan;
    const own = this.#queues.get(queue)?.lanes.get(project);
    let ahead = 0;
    for (const lane of this.#lanes.values()) ahead += lane.rank(lane === own ? orderKey(job) : firstKeyOf(priority));
    return ahead;
  }

  /** The one that was submitted first, among as many candidates as are looked at; null when nothing is queued. */
  oldest(candidates: number): QueuedJob | null {
    let oldest: QueuedJob | null = null;
    let left = candidates;
    for (const lane of this.#lanes.values()) {
      for (const job of lane.oldest()) {
        if (oldest === null || job.sequence < oldest.sequence) oldest = job;
        left -= 1;
        if (left === 0) return oldest;
      }
    }
    return oldest;
  }

  /** Any of them. @param draw in [0, 1) */
  sampleLane(draw: number): Lane | undefined {
    return this.#lanes.sample(draw);
  }

  /** In order within each class only. */
  *all(): Generator<QueuedJob, undefined> {
    for (const lane of this.#lanes.values()) yield* lane.all();
    return undefined;
  }

  #openLane(queue: Mutable, project: string): Lane {
    this.#lanesMade += 1;
    const lane = new Lane({ queue: queue.name, project }, this.#lanesMade);
    queue.lanes.set(project, lane);
    this.#lanes.insert(lane.number, lane);
    return lane;
  }

  #closeLane(queue: Mutable, lane: Lane): void {
    queue.lanes.delete(lane.project);
    queue.sizes.delete(lane.project);
    this.#lanes.delete(lane.number);
  }
}

function emptyQueue(name: string): Mutable {
  const byPriority = new Uint32Array(LIMITS.priorityMax + 1);
  return { name, lanes: new Map(), sizes: new Map(), byPriority, size: 0, highestPriority: 0 };
}
