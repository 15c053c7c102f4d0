import type { Logger } from 'pino';
import { SYSTEM } from '../../src/auth.ts';
import type { Command } from '../../src/state/commands.ts';
import { schedulesDue } from '../../src/state/queries.ts';
import type { CronLines } from '../cron/cron-line.ts';
import type { Replica } from '../replica/replica.ts';
import { proposalFor } from './due-firings.ts';
import { LEADER_TIMES } from './limits.ts';

export interface FirerDependencies {
  readonly replica: Pick<Replica, 'propose' | 'state'>;
  readonly logger: Logger;
  readonly lines: CronLines;
  /** Throws a Fault while a node has no memory for further jobs. */
  readonly room: { expectRoom(): void };
}

export interface FirerOptions {
  /** Schedules in one proposal. */
  readonly firingsPerRound: number;
  /** Times that are counted as missed in one round. */
  readonly missedPerRound: number;
}

const PAUSES_MS = { failed: LEADER_TIMES.retryPauseMs, noRoom: LEADER_TIMES.roomPauseMs } as const;

/** One time of leading; nothing that began in another counts. */
interface Watch {
  state: 'waiting' | 'firing';
  timer: NodeJS.Timeout | null;
  wakeAt: number | null;
}

/**
 * Proposes to fire schedules when their time has come, and finds the next time of each. One round is under way at a time;
 * apply takes a firing only of the time that is due, so one that another leader proposed too comes once.
 */
export class Firer {
  readonly #parts: FirerDependencies;
  readonly #options: FirerOptions;
  #watch: Watch | null = null;

  constructor(dependencies: FirerDependencies, options: FirerOptions) {
    this.#parts = dependencies;
    this.#options = options;
  }

  start(): void {
    this.#watch ??= { state: 'waiting', timer: null, wakeAt: null };
    this.review();
  }

  stop(): void {
    if (this.#watch !== null) disarm(this.#watch);
    this.#watch = null;
  }

  /** A schedule may be due earlier than known. */
  review(): void {
    const watch = this.#watch;
    if (watch === null || watch.state === 'firing') return;
    const due = this.#parts.replica.state.schedulesDue.first()?.at ?? null;
    if (due === watch.wakeAt) return;
    disarm(watch);
    if (due === null) return;
    watch.wakeAt = due;
    const wait = Math.min(Math.max(due - Date.now(), 0), LEADER_TIMES.lookAtClockMs);
    watch.timer = setTimeout(() => void this.#fire(watch), wait);
  }

  async #fire(watch: Watch): Promise<void> {
    disarm(watch);
    watch.state = 'firing';
    const outcome = await this.#round(watch).catch((error: unknown) => {
      if (watch === this.#watch) this.#parts.logger.warn({ err: error }, 'due schedules were not fired');
      return 'failed' as const;
    });
    if (outcome !== 'done') await new Promise((resolve) => setTimeout(resolve, PAUSES_MS[outcome]));
    watch.state = 'waiting';
    if (watch === this.#watch) this.review();
  }

  /** @returns `failed`: something was refused, since a clock went back or another leader was first */
  async #round(watch: Watch): Promise<'done' | 'failed' | 'noRoom'> {
    const { replica, lines } = this.#parts;
    const { firingsPerRound, missedPerRound } = this.#options;
    const now = Date.now();
    const moment = { now, budget: { left: missedPerRound }, breathe: breather() };
    const commands: Command[] = [];
    for (const schedule of schedulesDue(replica.state, now, firingsPerRound)) {
      const command = await proposalFor(schedule, lines, moment);
      if (command !== null) commands.push(command);
      await moment.breathe();
    }
    if (watch !== this.#watch || commands.length === 0) return 'done';
    if (commands.some(({ kind }) => kind === 'fireSchedule') && !this.#hasRoom()) return 'noRoom';
    const results = await replica.propose(SYSTEM, commands);
    return results.every(({ ok }) => ok) ? 'done' : 'failed';
  }

  /** What is due waits for it, and counts as late then. */
  #hasRoom(): boolean {
    try {
      this.#parts.room.expectRoom();
      return true;
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'due schedules wait: a node has no memory for their jobs');
      return false;
    }
  }
}

function disarm(watch: Watch): void {
  if (watch.timer !== null) clearTimeout(watch.timer);
  watch.timer = null;
  watch.wakeAt = null;
}

/** Lets the event loop turn once a slice of time is used up: reading cron lines is work. */
function breather(): () => Promise<void> {
  let begunAt = performance.now();
  return async () => {
    if (performance.now() - begunAt < LEADER_TIMES.cronSliceMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    begunAt = performance.now();
  };
}
