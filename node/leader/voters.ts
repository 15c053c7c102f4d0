import type { Logger } from 'pino';
import type { NodeId } from '../../src/ids.ts';
import type { Replica } from '../replica/replica.ts';
import { LEADER_LIMITS } from './limits.ts';

/** Promotes learners that have caught up while voters are wanted (dissertation §4.2.1). One change at a time. */
export class Voters {
  readonly #replica: Replica;
  readonly #logger: Logger;
  #state: 'off' | 'idle' | 'changing' = 'off';

  constructor(replica: Replica, logger: Logger) {
    this.#replica = replica;
    this.#logger = logger;
  }

  start(): void {
    if (this.#state === 'off') this.#state = 'idle';
  }

  stop(): void {
    this.#state = 'off';
  }

  async review(): Promise<void> {
    if (this.#state !== 'idle') return;
    const learner = this.#promotable();
    if (learner === null) return;
    this.#state = 'changing';
    try {
      this.#logger.info({ node: learner }, 'promoting a learner that has caught up');
      await this.#replica.changeMembership(learner, 'voter');
    } catch (error) {
      this.#logger.warn({ node: learner, err: error }, 'a learner was not promoted');
    }
    if (this.#isOn()) this.#state = 'idle';
  }

  #isOn(): boolean {
    return this.#state !== 'off';
  }

  #promotable(): NodeId | null {
    const { consensus } = this.#replica;
    const { voters, outgoing, learners } = consensus.configuration;
    if (outgoing.length > 0 || voters.length >= LEADER_LIMITS.wantedVoters) return null;
    for (const progress of consensus.progress()) {
      if (learners.includes(progress.peer) && progress.recentActive && progress.caughtUp) return progress.peer;
    }
    return null;
  }
}
