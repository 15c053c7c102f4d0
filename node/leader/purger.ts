import type { Logger } from 'pino';
import { SYSTEM } from '../../src/auth.ts';
import { isFinal, isFinalState } from '../../src/jobs/job.ts';
import { keptUntil } from '../../src/jobs/retention.ts';
import type { ChangeEvent } from '../../src/state/apply.ts';
import type { Applier } from '../replica/applier.ts';
import type { Replica } from '../replica/replica.ts';
import type { KeptJob } from '../storage/ports.ts';
import { LEADER_TIMES } from './limits.ts';

export interface PurgerDependencies {
  readonly replica: Pick<Replica, 'propose'> & { readonly applier: Pick<Applier, 'read'> };
  readonly logger: Logger;
}

export interface PurgerOptions {
  /** Final jobs that are kept, about. */
  readonly finalJobs: number;
  /** Jobs in one proposal. */
  readonly batch: number;
}

/** One time of leading; nothing that began in another counts. */
interface Watch {
  /** Final jobs that the database holds; null: to be counted. */
  kept: number | null;
  countedAt: number;
  state: 'waiting' | 'purging';
  wakeAt: number;
  timer: NodeJS.Timeout | null;
}

/**
 * Proposes to purge final jobs whose time is over, or that are too many: the heap does not hold them, so the leader reads
 * from its database which they are, in parts. Woken when the next one's time is over, and looks once an hour anyway.
 */
export class Purger {
  readonly #parts: PurgerDependencies;
  readonly #options: PurgerOptions;
  #watch: Watch | null = null;

  constructor(dependencies: PurgerDependencies, options: PurgerOptions) {
    this.#parts = dependencies;
    this.#options = options;
  }

  start(): void {
    if (this.#watch !== null) return;
    this.#watch = { kept: null, countedAt: 0, state: 'waiting', wakeAt: Infinity, timer: null };
    this.#wakeAt(this.#watch, Date.now() + LEADER_TIMES.purgePauseMs);
  }

  stop(): void {
    const timer = this.#watch?.timer ?? null;
    if (timer !== null) clearTimeout(timer);
    this.#watch = null;
  }

  changed(events: readonly ChangeEvent[]): void {
    const watch = this.#watch;
    if (watch === null) return;
    let wakeAt = Infinity;
    for (const event of events) {
      if (event.kind === 'purged') count(watch, -1);
      if (event.kind !== 'job') continue;
      if (isFinal(event.job)) {
        count(watch, 1);
        wakeAt = Math.min(wakeAt, keptUntil(event.job));
      } else if (event.before !== null && isFinalState(event.before)) count(watch, -1);
    }
    if (wakeAt === Infinity) return;
    if (watch.kept !== null && watch.kept > this.#options.finalJobs) wakeAt = 0;
    this.#wakeAt(watch, Math.max(wakeAt, Date.now() + LEADER_TIMES.purgePauseMs));
  }

  /** At that time, unless it wakes before. */
  #wakeAt(watch: Watch, at: number): void {
    if (watch !== this.#watch || at >= watch.wakeAt) return;
    watch.wakeAt = at;
    if (watch.state === 'purging') return;
    if (watch.timer !== null) clearTimeout(watch.timer);
    const wait = Math.min(Math.max(at - Date.now(), 0), LEADER_TIMES.recountMs);
    watch.timer = setTimeout(() => void this.#wake(watch), wait);
  }

  async #wake(watch: Watch): Promise<void> {
    watch.timer = null;
    watch.state = 'purging';
    watch.wakeAt = Infinity;
    let next: number;
    try {
      next = await this.#purge(watch);
    } catch (error) {
      if (watch === this.#watch) this.#parts.logger.warn({ err: error }, 'final jobs were not purged');
      next = Date.now() + LEADER_TIMES.purgePauseMs;
    }
    watch.state = 'waiting';
    next = Math.min(next, watch.wakeAt, Date.now() + LEADER_TIMES.recountMs);
    watch.wakeAt = Infinity;
    this.#wakeAt(watch, next);
  }

  /** @returns when there is more to do */
  async #purge(watch: Watch): Promise<number> {
    const { replica } = this.#parts;
    const { finalJobs, batch } = this.#options;
    if (Date.now() - watch.countedAt >= LEADER_TIMES.recountMs) watch.kept = null;
    if (watch.kept === null) {
      watch.kept = await replica.applier.read((store) => store.countFinal());
      watch.countedAt = Date.now();
    }
    const first = await replica.applier.read((store) => store.firstToGo(batch + 1));
    if (watch !== this.#watch) return Infinity;
    const due = toPurge(first, { now: Date.now(), surplus: watch.kept - finalJobs }).slice(0, batch);
    if (due.length > 0) {
      await replica.propose(SYSTEM, [{ kind: 'purge', jobs: due.map(({ id, index }) => ({ job: id, index })) }]);
    }
    const next = due.length === batch ? 0 : (first[due.length]?.until ?? Infinity);
    return Math.max(next, Date.now() + LEADER_TIMES.purgePauseMs);
  }
}

/** @param first those that go first, in this order */
function toPurge(
  first: readonly KeptJob[],
  { now, surplus }: { readonly now: number; readonly surplus: number },
): readonly KeptJob[] {
  return first.filter(({ until }, position) => until <= now || position < surplus);
}

function count(watch: Watch, change: 1 | -1): void {
  if (watch.kept !== null) watch.kept += change;
}
