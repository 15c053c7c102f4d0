import type { Connection, PeerId } from '@libp2p/interface';
import type { Logger } from 'pino';
import type { NodeId } from '../../src/ids.ts';
import { asError } from './frame-stream.ts';
import type { Gate } from './gate.ts';
import type { Host } from './libp2p-host.ts';
import type { NetworkLimits } from './limits.ts';

export interface CapacityGossipDependencies {
  readonly host: Host;
  readonly gate: Gate;
  readonly topic: string;
  readonly logger: Logger;
  /** The members that are up, and the connection in use with each. */
  readonly connections: () => Iterable<Connection>;
}

/** Capacity adverts over gossipsub, and the repair of the streams that it loses without noticing. */
export class CapacityGossip {
  readonly #dependencies: CapacityGossipDependencies;
  readonly #limits: NetworkLimits;
  readonly #repair: NodeJS.Timeout;
  readonly #handlers: ((from: NodeId, advert: Uint8Array) => void)[] = [];

  constructor(dependencies: CapacityGossipDependencies, limits: NetworkLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
    const { pubsub } = dependencies.host.services;
    pubsub.addEventListener('message', ({ detail }) => {
      if (detail.topic === dependencies.topic && detail.type === 'signed') this.#hear(detail.from, detail.data);
    });
    pubsub.subscribe(dependencies.topic);
    this.#repair = setInterval(() => this.#reintroduce(), limits.gossipRepairMs);
  }

  onAdvert(handler: (from: NodeId, advert: Uint8Array) => void): void {
    this.#handlers.push(handler);
  }

  publish(advert: Uint8Array): void {
    const { host, topic, logger } = this.#dependencies;
    if (advert.length > this.#limits.gossipMessageBytes) {
      logger.warn({ bytes: advert.length }, 'dropped a capacity advert that is too large');
      return;
    }
    host.services.pubsub.publish(topic, advert).catch((error: unknown) => {
      logger.debug({ reason: asError(error).message }, 'a capacity advert was not published');
    });
  }

  close(): void {
    clearInterval(this.#repair);
  }

  /** The author signed it; who passed it on does not matter. */
  #hear(author: PeerId, advert: Uint8Array): void {
    const from = author.toString();
    if (!this.#dependencies.gate.isMember(from) || advert.length > this.#limits.gossipMessageBytes) return;
    for (const handler of this.#handlers) handler(from, advert);
  }

  /**
   * Gossipsub opens one stream when a peer comes and never another: a stream lost while the peer has any connection
   * left would silence it for good.
   */
  #reintroduce(): void {
    for (const connection of this.#dependencies.connections()) {
      if (!this.#speaksWith(connection.remotePeer)) this.#dependencies.gate.introduce(connection);
    }
  }

  #speaksWith(peer: PeerId): boolean {
    return this.#dependencies.host
      .getConnections(peer)
      .some(({ streams }) =>
        streams.some(
          ({ direction, protocol, status }) =>
            direction === 'outbound' && status === 'open' && protocol.startsWith('/meshsub/'),
        ),
      );
  }
}
