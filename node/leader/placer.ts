import type { Logger } from 'pino';
import { SYSTEM } from '../../src/auth.ts';
import type { Command } from '../../src/state/commands.ts';
import type { LoadOf } from '../../src/scheduling/measured-load.ts';
import { scheduleRound } from '../../src/scheduling/place.ts';
import type { Replica } from '../replica/replica.ts';
import { LEADER_LIMITS, LEADER_TIMES } from './limits.ts';

export interface PlacerDependencies {
  readonly replica: Pick<Replica, 'propose' | 'state'>;
  readonly logger: Logger;
  readonly loadOf: LoadOf;
}

/**
 * The leader's scheduler: whenever something that decides about waiting jobs has changed, it proposes placements.
 * One round is under way at a time, so that the next one sees its effects; apply checks each like anyone else's.
 */
export class Placer {
  readonly #replica: Pick<Replica, 'propose' | 'state'>;
  readonly #logger: Logger;
  readonly #loadOf: LoadOf;
  #state: 'off' | 'idle' | 'placing' = 'off';
  #changed = false;

  constructor({ replica, logger, loadOf }: PlacerDependencies) {
    this.#replica = replica;
    this.#logger = logger;
    this.#loadOf = loadOf;
  }

  start(): void {
    if (this.#state === 'off') this.#state = 'idle';
    this.wake();
  }

  stop(): void {
    this.#state = 'off';
  }

  /** Capacity came free, or a job began to wait. */
  wake(): void {
    this.#changed = true;
    if (this.#state === 'idle') setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    if (this.#state !== 'idle') return;
    this.#state = 'placing';
    while (this.#changed && this.#isOn()) {
      this.#changed = false;
      const { commands, rest } = scheduleRound(this.#replica.state, {
        limit: LEADER_LIMITS.placementsPerRound,
        random: Math.random,
        load: this.#loadOf,
      });
      if (commands.length === 0) break;
      this.#changed ||= rest === 'now';
      await this.#propose(commands);
    }
    if (this.#isOn()) this.#state = 'idle';
    if (this.#changed) this.wake();
  }

  #isOn(): boolean {
    return this.#state !== 'off';
  }

  async #propose(commands: readonly Command[]): Promise<void> {
    try {
      const results = await this.#replica.propose(SYSTEM, commands);
      this.#changed ||= results.some((result) => !result.ok);
    } catch (error) {
      this.#logger.warn({ err: error }, 'a round of placements was not taken');
      this.#changed = true;
      await new Promise((resolve) => setTimeout(resolve, LEADER_TIMES.retryPauseMs));
    }
  }
}
