import type { Logger } from 'pino';
import type { Configuration } from '../raft/types.ts';
import type { NodeId } from '../src/ids.ts';
import { askStanding } from './joining.ts';
import type { PeerNetwork } from './p2p/network.ts';
import type { Replica } from './replica/replica.ts';

export const REMOVAL_WATCH_TIMES = {
  reviewMs: 1_000,
  /** Cut off from a leader for so long, the members are asked: longer than an election takes. */
  cutOffMs: 3_000,
  /** … and again so often. */
  askAgainMs: 5_000,
} as const;

export interface RemovalWatchDependencies {
  readonly self: NodeId;
  readonly replica: Pick<Replica, 'leader'>;
  readonly network: Pick<PeerNetwork, 'connected' | 'join'>;
  /** Where the members are, as far as this node knows. */
  readonly addresses: () => readonly string[];
  readonly logger: Logger;
}

/**
 * Finds out that this node was removed. It may hear of it in the log; but who is removed gets no more of the log from
 * that moment on, or was away. So a node that is cut off from any leader asks the members, as a stranger may.
 */
export class RemovalWatch {
  readonly #parts: RemovalWatchDependencies;
  readonly #onRemoved: () => void;
  /** Whether a committed configuration has held this node since it started: those before it joined do not. */
  #member: 'never' | 'was' = 'never';
  #state: 'off' | 'watching' | 'asking' | 'removed' = 'off';
  #timer: NodeJS.Timeout | null = null;
  #ledAt = 0;
  #askedAt = Number.NEGATIVE_INFINITY;

  /** @param onRemoved called once */
  constructor(dependencies: RemovalWatchDependencies, onRemoved: () => void) {
    this.#parts = dependencies;
    this.#onRemoved = onRemoved;
  }

  start(): void {
    this.#state = 'watching';
    this.#ledAt = performance.now();
    this.#timer ??= setInterval(() => void this.#review(), REMOVAL_WATCH_TIMES.reviewMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#state = 'off';
  }

  /** @param configuration a committed one */
  configurationChanged({ voters, outgoing, learners, learnersNext }: Configuration): void {
    const holdsSelf = [voters, outgoing, learners, learnersNext].some((nodes) => nodes.includes(this.#parts.self));
    if (holdsSelf) this.#member = 'was';
    else if (this.#member === 'was') this.#removed();
  }

  async #review(): Promise<void> {
    const now = performance.now();
    if (!this.#isCutOff()) this.#ledAt = now;
    const { cutOffMs, askAgainMs } = REMOVAL_WATCH_TIMES;
    if (this.#state !== 'watching' || now - this.#ledAt < cutOffMs || now - this.#askedAt < askAgainMs) return;
    this.#askedAt = now;
    this.#state = 'asking';
    const standing = await this.#ask();
    if (this.#isAsking()) this.#state = 'watching';
    else return;
    if (standing === 'none') this.#removed();
  }

  /** A learner keeps a leader in mind that does not know it any more. */
  #isCutOff(): boolean {
    const { replica, network, self } = this.#parts;
    const { leader } = replica;
    return leader === null || (leader !== self && !network.connected().includes(leader));
  }

  #isAsking(): boolean {
    return this.#state === 'asking';
  }

  async #ask(): Promise<'member' | 'none' | 'unknown'> {
    const { network, addresses, logger } = this.#parts;
    try {
      return await askStanding(network, addresses());
    } catch (error) {
      logger.debug({ err: error }, 'no member told whether this node is one');
      return 'unknown';
    }
  }

  #removed(): void {
    if (this.#state === 'removed') return;
    this.stop();
    this.#state = 'removed';
    this.#onRemoved();
  }
}
