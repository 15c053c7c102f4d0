import type { Logger } from 'pino';
import { SYSTEM } from '../../src/auth.ts';
import type { JobId } from '../../src/ids.ts';
import type { LiveJob } from '../../src/jobs/job.ts';
import { isLive } from '../../src/state/state.ts';
import { Backoff } from '../p2p/backoff.ts';
import type { Replica } from '../replica/replica.ts';
import type { AttemptKey } from '../runner/ports.ts';

/** What waited longer for the end of another attempt goes back to the queue: somebody else may have room. */
const PATIENCE_MS = 50;
const RETRY_MS = 200;
const RETRY_MS_MAX = 3_000;

export interface SuccessionsDependencies {
  readonly replica: Pick<Replica, 'propose' | 'state'>;
  readonly logger: Logger;
  /** Sends it to the runner. */
  readonly begin: (job: LiveJob) => void;
}

/**
 * Decides when an attempt that the state assigns to this runner begins. One that has room begins at once. One that is
 * behind another begins when that one, having begun here, has ended here, before the log knows of it: the room is then
 * its own, whatever comes between, since nobody but this runner hands it back.
 *
 * A hand-back that is under way forbids that for good, as long as the job is as it was seen: it may be carried out at
 * any time, and the job be run elsewhere. So does a start of this node: what the one before had handed back is unknown.
 */
export class Successions {
  readonly #dependencies: SuccessionsDependencies;
  /** By attempt: it was sent to the runner. */
  readonly #begun = new Set<string>();
  /** By attempt: begun and ended here, while the state has them still. A snapshot may hide that they went. */
  readonly #over = new Set<string>();
  readonly #waiting = new Map<JobId, { readonly job: LiveJob; readonly since: number }>();
  readonly #backoff = new Backoff(Math.random, { minMs: RETRY_MS, maxMs: RETRY_MS_MAX });
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(dependencies: SuccessionsDependencies) {
    this.#dependencies = dependencies;
  }

  /** The state assigns it here, as of an entry that was applied now. */
  assigned(job: LiveJob): void {
    const { behind } = job.current;
    this.#waiting.delete(job.id);
    if (this.#begun.has(nameOf(job))) return;
    if (behind === undefined || this.#isOver(behind.job)) return this.#begin(job);
    this.#waiting.set(job.id, { job, since: performance.now() });
    this.#arm();
  }

  /** The state has assigned it here some time ago. @param held whether the runner has it */
  found(job: LiveJob, held: 'held' | 'notHeld'): void {
    if (this.#begun.has(nameOf(job))) return;
    this.#waiting.delete(job.id);
    if (job.current.behind === undefined || held === 'held') this.#begin(job);
    else void this.#handBack([job]);
  }

  /** The runner told its end. */
  ended(attempt: AttemptKey): 'passedOn' | 'free' {
    if (!this.#begun.has(nameOfAttempt(attempt))) return 'free';
    this.#over.add(nameOfAttempt(attempt));
    const next = this.#dependencies.replica.state.successors.get(attempt.job);
    const waiting = next === undefined ? undefined : this.#waiting.get(next);
    if (waiting === undefined) return 'free';
    this.#waiting.delete(waiting.job.id);
    this.#begin(waiting.job);
    return 'passedOn';
  }

  /** It is not to begin any more. */
  stopped(id: JobId): void {
    this.#waiting.delete(id);
  }

  /** The state has this attempt here no more. */
  gone(attempt: AttemptKey): void {
    this.#waiting.delete(attempt.job);
    this.#over.delete(nameOfAttempt(attempt));
    this.#begun.delete(nameOfAttempt(attempt));
  }

  /** Another runner process, which has begun nothing. */
  clear(): void {
    this.#begun.clear();
    this.#over.clear();
    this.#waiting.clear();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #isOver(id: JobId): boolean {
    const job = this.#dependencies.replica.state.jobs.get(id);
    return job !== undefined && isLive(job) && this.#over.has(nameOf(job));
  }

  #begin(job: LiveJob): void {
    this.#begun.add(nameOf(job));
    this.#dependencies.begin(job);
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#review();
    }, PATIENCE_MS);
  }

  #review(): void {
    const now = performance.now();
    const late: LiveJob[] = [];
    for (const { job, since } of this.#waiting.values()) if (now - since >= PATIENCE_MS) late.push(job);
    for (const job of late) this.#waiting.delete(job.id);
    if (late.length > 0) void this.#handBack(late);
    if (this.#waiting.size > 0) this.#arm();
  }

  /** The last ones first, so that each is handed back before the one that it is behind. */
  async #handBack(jobs: readonly LiveJob[]): Promise<void> {
    const { replica, logger } = this.#dependencies;
    try {
      const commands = jobs.toReversed().map(({ id, index }) => ({ kind: 'handBack', job: id, index }) as const);
      await replica.propose(SYSTEM, commands);
      this.#backoff.reset();
    } catch (error) {
      logger.info({ err: error, count: jobs.length }, 'jobs were not handed back and are handed back again');
      setTimeout(() => {
        const same = jobs.filter(({ id, index }) => replica.state.jobs.get(id)?.index === index);
        if (same.length > 0 && !this.#stopped) void this.#handBack(same);
      }, this.#backoff.nextDelayMs());
    }
  }
}

function nameOf({ id, current }: LiveJob): string {
  return nameOfAttempt({ job: id, attempt: current.attempt });
}

function nameOfAttempt({ job, attempt }: AttemptKey): string {
  return `${job}/${attempt}`;
}
