import type { PeerId } from '@libp2p/interface';
import type { Logger } from 'pino';
import type { Host } from './libp2p-host.ts';
import type { NetworkLimits } from './limits.ts';

/** Asks the DHT for the newer addresses of members that are not where they were; one question at a time, not often. */
export class PeerFinder {
  readonly #host: Host;
  readonly #logger: Logger;
  readonly #limits: NetworkLimits;
  #next = 0;

  constructor(dependencies: { readonly host: Host; readonly logger: Logger }, limits: NetworkLimits) {
    this.#host = dependencies.host;
    this.#logger = dependencies.logger;
    this.#limits = limits;
  }

  /** What is found goes into the peer store. Does nothing when another question was asked a moment ago. */
  async find(peer: PeerId, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    if (now < this.#next) return;
    this.#next = now + this.#limits.lookupIntervalMs;
    try {
      const timeout = AbortSignal.timeout(this.#limits.lookupTimeoutMs);
      const { multiaddrs } = await this.#host.peerRouting.findPeer(peer, {
        signal: AbortSignal.any([signal, timeout]),
      });
      await this.#host.peerStore.merge(peer, { multiaddrs });
      this.#logger.debug({ peer: peer.toString(), addresses: multiaddrs.length }, 'asked the DHT for a member');
    } catch (error) {
      this.#logger.debug({ peer: peer.toString(), reason: String(error) }, 'the DHT does not know a member');
    }
  }
}
