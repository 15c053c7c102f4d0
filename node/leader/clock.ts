import type { Logger } from 'pino';
import { SYSTEM } from '../../src/auth.ts';
import { nextDue } from '../../src/state/queries.ts';
import type { Replica } from '../replica/replica.ts';
import { LEADER_TIMES } from './limits.ts';

/** The longest that a timer may be set for. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Proposes a `clock` command when the earliest due thing of the state has come. */
export class Clock {
  readonly #replica: Pick<Replica, 'propose' | 'state'>;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | null = null;
  #dueAt: number | null = null;
  #state: 'off' | 'waiting' | 'proposing' = 'off';

  constructor(replica: Pick<Replica, 'propose' | 'state'>, logger: Logger) {
    this.#replica = replica;
    this.#logger = logger;
  }

  start(): void {
    if (this.#state === 'off') this.#state = 'waiting';
    this.review();
  }

  stop(): void {
    this.#state = 'off';
    this.#disarm();
  }

  /** Something may be due earlier than known. */
  review(): void {
    if (this.#state !== 'waiting') return;
    const due = nextDue(this.#replica.state);
    if (due === this.#dueAt) return;
    this.#disarm();
    if (due === null) return;
    this.#dueAt = due;
    const wait = Math.min(Math.max(due - Date.now(), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => void this.#propose(), wait);
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#dueAt = null;
  }

  async #propose(): Promise<void> {
    if (this.#state !== 'waiting') return;
    this.#state = 'proposing';
    this.#disarm();
    try {
      await this.#replica.propose(SYSTEM, [{ kind: 'clock' }]);
    } catch (error) {
      this.#logger.warn({ err: error }, 'the clock entry was not taken');
      await new Promise((resolve) => setTimeout(resolve, LEADER_TIMES.retryPauseMs));
    }
    if (this.#isOn()) this.#state = 'waiting';
    this.review();
  }

  #isOn(): boolean {
    return this.#state !== 'off';
  }
}
