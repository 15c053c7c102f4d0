import type { Logger } from 'pino';
import type { NodeId } from '../../src/ids.ts';
import { decodeWhereabouts, encodeDispatch } from '../dispatch-messages.ts';
import type { KnownMembers } from '../membership.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { BlobMember } from './holders.ts';
import type { Whereabouts } from './port.ts';

const ASK_TIMEOUT_MS = 5000;
const RETRY_MS = 1000;

export interface MemberFeedDependencies {
  readonly self: NodeId;
  readonly network: Pick<PeerNetwork, 'connected' | 'onConnectivity' | 'request'>;
  /** All but this node. */
  readonly members: () => KnownMembers;
  readonly isLeaving: (id: NodeId) => boolean;
  readonly blobs: { setMembers(members: readonly BlobMember[], selfLeaves: boolean): Promise<void> };
  readonly logger: Logger;
}

/**
 * Tells the thread of the blobs who the members are. Where a member takes bytes it says itself when it is asked, each
 * time that it is connected: none of that is in the log.
 */
export class MemberFeed {
  readonly #parts: MemberFeedDependencies;
  readonly #known = new Map<NodeId, Whereabouts>();
  readonly #asking = new Set<NodeId>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #told = '';
  #stopped = false;

  constructor(dependencies: MemberFeedDependencies) {
    this.#parts = dependencies;
    dependencies.network.onConnectivity((peer, state) => {
      if (state === 'up') this.#ask(peer);
      this.refresh();
    });
  }

  start(): void {
    for (const peer of this.#parts.network.connected()) this.#ask(peer);
    this.refresh();
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** To be called when the membership, or what is wished of a member, changed. */
  refresh(): void {
    if (this.#stopped) return;
    const { self, network, members, isLeaving, blobs, logger } = this.#parts;
    const connected = new Set(network.connected());
    const all = [...members().keys()].map((id): BlobMember => {
      const { addresses = null, store = null } = this.#known.get(id) ?? {};
      return { id, addresses, store, connected: connected.has(id), leaving: isLeaving(id) };
    });
    const selfLeaves = isLeaving(self);
    const telling = JSON.stringify([all, selfLeaves]);
    if (telling === this.#told) return;
    this.#told = telling;
    blobs.setMembers(all, selfLeaves).catch((error: unknown) => {
      if (this.#stopped) return;
      logger.warn({ err: error }, 'the blobs cannot be reached by other members');
      this.#told = '';
      this.#later(() => this.refresh());
    });
  }

  #ask(peer: NodeId): void {
    if (this.#asking.has(peer) || this.#stopped) return;
    this.#asking.add(peer);
    void this.#askNow(peer).then((answer) => {
      this.#asking.delete(peer);
      if (answer !== null) {
        this.#known.set(peer, answer);
        this.refresh();
      } else if (this.#parts.network.connected().includes(peer)) this.#later(() => this.#ask(peer));
    });
  }

  async #askNow(peer: NodeId): Promise<Whereabouts | null> {
    const { network, logger } = this.#parts;
    try {
      const question = encodeDispatch({ kind: 'tellWhereabouts' });
      return decodeWhereabouts(await network.request(peer, 'dispatch', question, { timeoutMs: ASK_TIMEOUT_MS }));
    } catch (error) {
      logger.debug({ peer, err: error }, 'a member does not tell where it takes blobs yet');
      return null;
    }
  }

  #later(action: () => void): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, RETRY_MS);
    this.#timers.add(timer);
  }
}
