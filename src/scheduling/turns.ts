import TinyQueue from 'tinyqueue';
import { assert } from '../errors.ts';
import type { QueuedJob } from '../jobs/job.ts';
import type { JobPlan } from '../jobs/plan.ts';
import type { QueueSettings } from '../jobs/queue-settings.ts';
import { type ClusterState, settingsOf } from '../state/state.ts';
import { type Head, HeadsInOrder } from './heads-in-order.ts';
import type { JobClass, Lane } from './lane.ts';
import type { QueueOfLanes } from './queue-order.ts';
import type { NearTurn } from './reservation.ts';
import { dominantShare, isFull, limitInTheWay, NO_USE, type Use, withOneLess, withOneMore } from './use.ts';

/** The state of queues and of what runs, as far as turns go. */
export type Shared = Pick<ClusterState, 'queue' | 'queues' | 'use'>;

/** Whose turn it is. */
export interface Turn {
  readonly job: QueuedJob;
  readonly jobClass: JobClass;
  readonly strategy: QueueSettings['strategy'];
}

/** In whose name a job is queued. */
type Owner = Pick<JobPlan, 'queue' | 'project'>;

interface Share {
  use: Use;
  /** The dominant share of what runs, by weight. */
  share: number;
  served: number;
}

interface LaneTurns extends Share {
  readonly lane: Lane;
  head: Pick<Head, 'job' | 'jobClass' | 'key'> | null;
  /** Made when its first turn has come: most lanes get none in a round. */
  heads: HeadsInOrder | null;
}

interface QueueTurns extends Share {
  readonly settings: QueueSettings;
  readonly lanes: TinyQueue<LaneTurns>;
  readonly byProject: ReadonlyMap<string, LaneTurns>;
}

/**
 * The order in which queued jobs come: the higher priority first; in one priority the queue that holds the smallest
 * share for its weight, and in that the project that holds the smallest; of equal ones that to which less was given so
 * far; then the older submission. What is given in one round counts at once, and what would pass a limit is left out.
 * The queue must not change meanwhile.
 */
export class Turns {
  readonly #shared: Shared;
  readonly #queues: TinyQueue<QueueTurns>;
  readonly #byName = new Map<string, QueueTurns>();
  /** Classes that were passed so far. */
  passed = 0;

  /** @param ending jobs that end in the same breath: what they take no longer counts */
  constructor(shared: Shared, ending: readonly JobPlan[]) {
    this.#shared = shared;
    for (const queue of shared.queue.queues.values()) {
      const settings = settingsOf(shared, queue.name);
      if (settings.state === 'open') this.#byName.set(queue.name, this.#turnsOf(queue, settings, ending));
    }
    const open = [...this.#byName.values()].filter(({ use, settings: { limits } }) => !isFull(use, limits));
    this.#queues = new TinyQueue(
      open.filter(({ lanes }) => lanes.length > 0),
      compareQueues,
    );
  }

  /** The same again until it is served or passed. */
  next(): Turn | null {
    for (;;) {
      const queue = this.#queues.peek();
      const head = queue?.lanes.peek()?.head;
      if (queue === undefined || head === undefined || head === null) return null;
      const { job, jobClass } = head;
      if (this.#allows(queue, queue.lanes.peek(), jobClass))
        return { job, jobClass, strategy: queue.settings.strategy };
      this.pass();
    }
  }

  /**
   * The lanes whose first job is of the priority of the next turn, and whose owner is ahead of that turn's by no more
   * than their two jobs ask for: where jobs end all the time, each of these owners holds the smallest share now and then.
   */
  near(): NearTurn[] {
    const first = this.#queues.peek();
    const next = first?.lanes.peek();
    if (first === undefined || next === undefined) return [];
    const found: NearTurn[] = [];
    for (const queue of this.#byName.values()) {
      const least = queue.lanes.peek();
      if (least === undefined || priorityOf(least) !== priorityOf(next)) continue;
      for (const lane of queue.byProject.values()) {
        if (lane === next) found.push({ lane: lane.lane, turn: 'next' });
        else if (this.#isNear(lane, least, queue, first)) found.push({ lane: lane.lane, turn: 'near' });
      }
    }
    return found;
  }

  /** It was given what it asks for. */
  serve(): void {
    const { queue, lane, heads, head } = this.#takeFirst();
    this.#count(queue, lane, head.job.plan.demand);
    heads.advance(head);
    this.#putBack(queue, lane, heads.next());
  }

  /** No job of its class is wanted in this round. */
  pass(): void {
    const { queue, lane, heads, head } = this.#takeFirst();
    this.passed += 1;
    heads.drop(head);
    this.#putBack(queue, lane, heads.next());
  }

  /** For a job out of turn: how it is to be placed; null: it may not. */
  strategyFor({ queue: name, project }: Owner, wanted: Pick<JobClass, 'demand'>): QueueSettings['strategy'] | null {
    const queue = this.#byName.get(name);
    if (queue === undefined || !this.#allows(queue, queue.byProject.get(project), wanted)) return null;
    return queue.settings.strategy;
  }

  /** Out of turn; no turns may be asked for afterwards. */
  serveOutOfTurn({ queue: name, project }: Owner, { demand }: Pick<JobClass, 'demand'>): void {
    const queue = this.#byName.get(name);
    const lane = queue?.byProject.get(project);
    if (queue !== undefined && lane !== undefined) this.#count(queue, lane, demand);
  }

  #turnsOf({ name, lanes }: QueueOfLanes, settings: QueueSettings, ending: readonly JobPlan[]): QueueTurns {
    const { use: accounts } = this.#shared;
    const account = accounts.queues.get(name);
    const own = ending.filter(({ queue }) => queue === name);
    const use = lessOf(account?.use, own);
    const byProject = new Map<string, LaneTurns>();
    for (const [project, lane] of lanes) {
      const before = account?.projects.get(project);
      const left = lessOf(before?.use, own.length === 0 ? own : own.filter((plan) => plan.project === project));
      const served = before?.served ?? 0;
      byProject.set(project, { lane, head: lane.first(), heads: null, use: left, share: this.#shareOf(left), served });
    }
    const waiting = [...byProject.values()].filter((lane) => !isFull(lane.use, settings.projectLimits));
    const share = this.#shareOf(use) / settings.weight;
    const served = account?.served ?? 0;
    return { settings, use, share, served, lanes: new TinyQueue(waiting, compareLanes), byProject };
  }

  #isNear(lane: LaneTurns, least: LaneTurns, queue: QueueTurns, first: QueueTurns): boolean {
    if (lane.head === null || priorityOf(lane) !== priorityOf(least)) return false;
    const cost = this.#costOf(lane);
    const isNear =
      lane.share - least.share <= cost + this.#costOf(least) &&
      queue.share - first.share <= cost / queue.settings.weight + this.#costOfNext(first);
    return isNear && this.#allows(queue, lane, lane.head.jobClass);
  }

  /** What its first job adds to its share. */
  #costOf({ head }: LaneTurns): number {
    return head === null ? 0 : this.#shareOf({ running: 1, taken: head.jobClass.demand });
  }

  #costOfNext({ lanes, settings }: QueueTurns): number {
    const next = lanes.peek();
    return next === undefined ? 0 : this.#costOf(next) / settings.weight;
  }

  #allows({ use, settings }: QueueTurns, lane: LaneTurns | undefined, { demand }: Pick<JobClass, 'demand'>): boolean {
    const { limits, projectLimits } = settings;
    return (
      limitInTheWay(use, limits, demand) === null && limitInTheWay(lane?.use ?? NO_USE, projectLimits, demand) === null
    );
  }

  #takeFirst() {
    const queue = this.#queues.pop();
    const lane = queue?.lanes.pop();
    assert(queue !== undefined && lane !== undefined, 'only whose turn it is may be served or passed');
    lane.heads ??= new HeadsInOrder(lane.lane.classes.values());
    const head = lane.heads.next();
    assert(head !== null && head.job === lane.head?.job, 'a lane goes on from its first job');
    return { queue, lane, heads: lane.heads, head };
  }

  #putBack(queue: QueueTurns, lane: LaneTurns, head: Head | null): void {
    lane.head = head;
    const { limits, projectLimits } = queue.settings;
    if (lane.head !== null && !isFull(lane.use, projectLimits)) queue.lanes.push(lane);
    if (queue.lanes.length > 0 && !isFull(queue.use, limits)) this.#queues.push(queue);
  }

  #count(queue: QueueTurns, lane: LaneTurns, demand: JobPlan['demand']): void {
    const { weight } = queue.settings;
    const cost = this.#shareOf({ running: 1, taken: demand });
    queue.use = withOneMore(queue.use, demand);
    queue.share = this.#shareOf(queue.use) / weight;
    queue.served += cost / weight;
    lane.use = withOneMore(lane.use, demand);
    lane.share = this.#shareOf(lane.use);
    lane.served += cost;
  }

  #shareOf(use: Use): number {
    return use.running === 0 ? 0 : dominantShare(use, this.#shared.use.capacity);
  }
}

function lessOf(use: Use | undefined, ending: readonly JobPlan[]): Use {
  return ending.reduce((left, { demand }) => withOneLess(left, demand), use ?? NO_USE);
}

function compareQueues(a: QueueTurns, b: QueueTurns): number {
  const first = a.lanes.peek();
  const second = b.lanes.peek();
  if (first === undefined || second === undefined) return 0;
  return priorityOf(second) - priorityOf(first) || compareShares(a, b) || keyOf(first) - keyOf(second);
}

function compareLanes(a: LaneTurns, b: LaneTurns): number {
  return priorityOf(b) - priorityOf(a) || compareShares(a, b) || keyOf(a) - keyOf(b);
}

function compareShares(a: Share, b: Share): number {
  return a.share - b.share || a.served - b.served;
}

function priorityOf({ head }: LaneTurns): number {
  return head?.job.plan.priority ?? 0;
}

function keyOf({ head }: LaneTurns): number {
  return head?.key ?? 0;
}
