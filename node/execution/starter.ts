import type { JobAttempt } from '../../src/auth.ts';
import type { Incarnation } from '../../src/ids.ts';
import type { LiveJob } from '../../src/jobs/job.ts';
import type { Replica } from '../replica/replica.ts';
import { attemptName } from '../runner/layout.ts';
import type { AttemptKey, RunnerEvent, RunnerSupervisor } from '../runner/ports.ts';
import type { JobFiles } from './job-files.ts';

export interface StarterDependencies {
  readonly replica: Pick<Replica, 'state'>;
  readonly supervisor: Pick<RunnerSupervisor, 'start'>;
  readonly files: Pick<JobFiles, 'prepare' | 'stop' | 'discard'>;
}

export interface StarterOptions {
  /** Added to the environment of this attempt. */
  readonly env: (attempt: JobAttempt) => Readonly<Record<string, string>>;
  /** Of the runner process that this node is connected to; null: none, or the node stops. */
  readonly incarnation: () => Incarnation | null;
  /** Told of an attempt that could not start, for want of its inputs. */
  readonly failed: (event: Extract<RunnerEvent, { kind: 'ended' }>) => void;
}

/** Hands attempts to the runner; those with inputs when their folder is there. Asked again, it does nothing again. */
export class Starter {
  readonly #dependencies: StarterDependencies;
  readonly #options: StarterOptions;
  /** Attempts with inputs that are being brought, and whatever the runner had when it was connected. */
  readonly #taken = new Set<string>();

  constructor(dependencies: StarterDependencies, options: StarterOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  /** To a runner process that holds these attempts. */
  connected(held: readonly AttemptKey[]): void {
    this.#taken.clear();
    for (const attempt of held) this.#taken.add(attemptName(attempt));
  }

  begin(job: LiveJob): void {
    if (job.spec.inputs === undefined) return this.#handOver(job);
    const name = attemptName(keyOf(job));
    if (this.#taken.has(name)) return;
    this.#taken.add(name);
    void this.#bringInputs(job);
  }

  stop(attempt: AttemptKey): void {
    this.#dependencies.files.stop(attempt);
  }

  ended(attempt: AttemptKey): void {
    this.#taken.delete(attemptName(attempt));
  }

  async #bringInputs(job: LiveJob): Promise<void> {
    const { files } = this.#dependencies;
    const prepared = await files.prepare(job);
    const isWanted = this.#isWanted(job);
    switch (prepared.kind) {
      case 'ready':
        if (isWanted) this.#handOver(job, prepared.folder);
        else await files.discard(prepared.folder);
        return;
      case 'failed': {
        if (!isWanted) return;
        const { end } = prepared;
        this.ended(keyOf(job));
        const { incarnation } = job.current;
        this.#options.failed({ kind: 'ended', ...keyOf(job), startedAt: null, endedAt: Date.now(), end, incarnation });
        return;
      }
      case 'stopped':
        return;
    }
  }

  #isWanted({ id, current }: LiveJob): boolean {
    const now = this.#dependencies.replica.state.jobs.get(id);
    return (
      now?.state === 'assigned' &&
      now.current.attempt === current.attempt &&
      !isToStop(now) &&
      current.incarnation === this.#options.incarnation()
    );
  }

  #handOver(job: LiveJob, inputs?: string): void {
    const { attempt, incarnation } = job.current;
    this.#dependencies.supervisor.start({
      job: job.id,
      attempt,
      incarnation,
      spec: job.spec,
      timeoutMs: job.plan.timeoutMs,
      idleTimeoutMs: job.plan.idleTimeoutMs,
      env: { ...this.#options.env({ id: job.id, attempt }), ...scheduleOf(job) },
      ...(inputs === undefined ? {} : { inputs }),
    });
  }
}

function keyOf(job: LiveJob): AttemptKey {
  return { job: job.id, attempt: job.current.attempt };
}

/** What a job is told of the schedule that submitted it. */
function scheduleOf({ schedule }: LiveJob): Readonly<Record<string, string>> {
  if (schedule === undefined) return {};
  const { name, due } = schedule;
  return { QUORATE_SCHEDULE: name, ...(due === null ? {} : { QUORATE_SCHEDULE_DUE: new Date(due).toISOString() }) };
}

export function isToStop({ cancel, preempt }: LiveJob): boolean {
  return cancel !== null || preempt !== undefined;
}
