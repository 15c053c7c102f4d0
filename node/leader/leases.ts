import type { Logger } from 'pino';
import { SYSTEM } from '../../src/auth.ts';
import type { Incarnation, NodeId } from '../../src/ids.ts';
import type { Replica } from '../replica/replica.ts';
import { LEADER_TIMES } from './limits.ts';

/** A review that comes later than this tells that the leader stood still, and may be none any more. */
const PUNCTUAL_MS = 2 * LEADER_TIMES.reviewMs;

interface Lease {
  readonly incarnation: Incarnation;
  readonly renewedAt: number;
}

/**
 * The leader's side of the runners' leases. Renewals are kept out of the log; a new leader gives every runner the full
 * time anew. A runner stops its jobs after `leaseMs` without an answer, before it is lost here after `lostAfterMs`.
 */
export class Leases {
  readonly #replica: Pick<Replica, 'propose' | 'state'>;
  readonly #logger: Logger;
  readonly #lostAfterMs: number;
  readonly #leases = new Map<NodeId, Lease>();
  #state: 'off' | 'on' = 'off';
  #reviewedAt = 0;
  #lastReview: 'punctual' | 'late' = 'punctual';

  constructor(replica: Pick<Replica, 'propose' | 'state'>, logger: Logger, options: { readonly lostAfterMs: number }) {
    this.#replica = replica;
    this.#logger = logger;
    this.#lostAfterMs = options.lostAfterMs;
  }

  start(): void {
    this.#state = 'on';
    this.#reviewedAt = performance.now();
    this.#lastReview = 'punctual';
    this.#leases.clear();
  }

  stop(): void {
    this.#state = 'off';
  }

  /** A leader that stood still renews nothing before consensus had the time to tell it that it was replaced. */
  renew(runner: NodeId, incarnation: Incarnation): 'renewed' | 'notLeader' | 'unknown' {
    if (this.#state === 'off' || this.#lastReview === 'late' || this.#isLate(performance.now())) return 'notLeader';
    const record = this.#replica.state.runners.get(runner);
    if (record === undefined || record.incarnation !== incarnation || record.state === 'lost') return 'unknown';
    this.#leases.set(runner, { incarnation, renewedAt: performance.now() });
    return 'renewed';
  }

  /** After the leader itself stood still nobody can have renewed. */
  forgive(): void {
    this.#leases.clear();
  }

  async review(): Promise<void> {
    if (this.#state === 'off') return;
    const now = performance.now();
    this.#lastReview = this.#isLate(now) ? 'late' : 'punctual';
    this.#reviewedAt = now;
    for (const record of this.#replica.state.runners.values()) {
      if (record.state === 'lost') continue;
      const lease = this.#leases.get(record.id);
      if (lease === undefined || lease.incarnation !== record.incarnation) {
        this.#leases.set(record.id, { incarnation: record.incarnation, renewedAt: now });
      } else if (now - lease.renewedAt > this.#lostAfterMs) {
        await this.#lose(record.id, record.incarnation);
      }
    }
  }

  #isLate(now: number): boolean {
    return now - this.#reviewedAt > PUNCTUAL_MS;
  }

  async #lose(runner: NodeId, incarnation: Incarnation): Promise<void> {
    this.#logger.warn({ runner, incarnation }, 'a runner is lost: it did not renew its lease');
    try {
      await this.#replica.propose(SYSTEM, [{ kind: 'loseRunner', runner, incarnation }]);
      this.#leases.delete(runner);
    } catch (error) {
      this.#logger.warn({ runner, err: error }, 'the loss of a runner was not taken');
    }
  }
}
