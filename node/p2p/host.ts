import type { Connection, PrivateKey, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Fault } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Address } from '../config/config.ts';
import { parseAddress, withPeer } from './addresses.ts';
import { BulkConnections } from './bulk-connections.ts';
import { BytesResponder, type OpenHandler, readBytes } from './bytes-channel.ts';
import { CapacityGossip } from './capacity-gossip.ts';
import { asError, FrameStream } from './frame-stream.ts';
import { Gate } from './gate.ts';
import { askToJoin, type JoinHandler, JoinResponder } from './join-protocol.ts';
import { type Host, startHost, stopHost } from './libp2p-host.ts';
import { type NetworkLimits, withLimits } from './limits.ts';
import { LinkMetrics } from './link-metrics.ts';
import type { Channel, NetworkStats, PeerNetwork } from './network.ts';
import { PeerFinder } from './peer-finder.ts';
import { PeerLink } from './peer-link.ts';
import { raftBuffers, rpcBuffers } from './peer-session.ts';
import { type ClusterProtocols, clusterProtocols } from './protocols.ts';
import { RpcMetrics, RpcResponder } from './rpc-channel.ts';
import { TrafficMeter } from './traffic.ts';

export interface PeerNetworkDependencies {
  readonly logger: Logger;
  readonly privateKey: PrivateKey;
  /** 32 bytes that every node of the cluster holds; whoever has another one cannot say a word. */
  readonly clusterKey: Uint8Array;
  readonly clusterId: string;
  readonly registry?: Registry;
}

export interface PeerNetworkOptions {
  readonly listen: Address;
  /** Multiaddrs or HOST:PORT; empty: the bound addresses. */
  readonly advertise: readonly string[];
  readonly limits?: Partial<NetworkLimits>;
}

/** @throws Rejection `invalidRequest` when an address cannot be read, `conflict` when the port is in use; see `startHost` */
export async function createPeerNetwork(
  dependencies: PeerNetworkDependencies,
  options: PeerNetworkOptions,
): Promise<PeerNetwork> {
  const limits = withLimits(options.limits ?? {});
  const { privateKey, clusterKey, clusterId, registry } = dependencies;
  const logger = dependencies.logger.child({ part: 'p2p' });
  const protocols = clusterProtocols(clusterId);
  const gate = new Gate({ logger, registry }, limits);
  const announce = options.advertise.map(parseAddress);
  const host = await startHost(
    { logger, privateKey, clusterKey, protocols, gate },
    { listen: options.listen, announce, limits },
  );
  const network = new Libp2pNetwork({ host, gate, protocols, logger, registry }, { announce, limits });
  await network.serve();
  return network;
}

class Libp2pNetwork implements PeerNetwork {
  readonly self: NodeId;
  readonly #host: Host;
  readonly #gate: Gate;
  readonly #protocols: ClusterProtocols;
  readonly #logger: Logger;
  readonly #announce: readonly Multiaddr[];
  readonly #limits: NetworkLimits;
  readonly #meter: TrafficMeter;
  readonly #rpcMetrics: RpcMetrics;
  readonly #linkMetrics: LinkMetrics;
  readonly #finder: PeerFinder;
  readonly #bulk: BulkConnections;
  readonly #gossip: CapacityGossip;
  readonly #joins: JoinResponder;
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #inbound = new Set<FrameStream>();
  readonly #listeners: ((peer: NodeId, state: 'up' | 'down') => void)[] = [];
  readonly #handlers = new Map<Channel, (from: NodeId, body: Uint8Array) => Promise<Uint8Array>>();
  #raftHandler: (from: NodeId, frame: Uint8Array) => void = () => {};
  #openHandler: OpenHandler | null = null;
  #closed: Promise<void> | null = null;

  constructor(
    dependencies: {
      readonly host: Host;
      readonly gate: Gate;
      readonly protocols: ClusterProtocols;
      readonly logger: Logger;
      readonly registry: Registry | undefined;
    },
    options: { readonly announce: readonly Multiaddr[]; readonly limits: NetworkLimits },
  ) {
    const { host, gate, protocols, logger, registry } = dependencies;
    const { limits } = options;
    this.self = host.peerId.toString() as NodeId;
    this.#host = host;
    this.#gate = gate;
    this.#protocols = protocols;
    this.#logger = logger;
    this.#announce = options.announce;
    this.#limits = limits;
    this.#meter = new TrafficMeter(registry);
    this.#rpcMetrics = new RpcMetrics(registry);
    this.#linkMetrics = new LinkMetrics(registry, () => this.stats());
    this.#finder = new PeerFinder({ host, logger }, limits);
    this.#bulk = new BulkConnections({ host }, limits);
    const connections = (): Connection[] => [...this.#sessions()].map((session) => session.connection);
    this.#gossip = new CapacityGossip({ host, gate, topic: protocols.capacityTopic, logger, connections }, limits);
    this.#joins = new JoinResponder(this.#joinParts(), limits);
  }

  async serve(): Promise<void> {
    const { raft, channels, bytes, join } = this.#protocols;
    const { streamsPerProtocol, openStreamsPerPeer } = this.#limits;
    const many = { maxInboundStreams: streamsPerProtocol, maxOutboundStreams: streamsPerProtocol };
    const bulk = { maxInboundStreams: openStreamsPerPeer, maxOutboundStreams: openStreamsPerPeer };
    const guard = (protocol: string, accept: (stream: Stream, connection: Connection) => void, limit: typeof many) =>
      this.#host.handle(protocol, this.#gate.guard(protocol, accept), limit);
    this.#host.addEventListener('connection:open', ({ detail }) => this.#gate.admit(detail));
    await guard(raft, (stream, connection) => this.#acceptRaft(stream, connection), many);
    for (const channel of ['control', 'dispatch'] as const) {
      await guard(channels[channel], (stream, from) => this.#acceptChannel(channel, stream, from), many);
    }
    await guard(bytes, (stream, connection) => this.#acceptBytes(stream, connection), bulk);
    await this.#host.handle(join, (stream, connection) => this.#joins.accept(stream, connection), many);
  }

  addresses(): readonly string[] {
    const addresses = this.#announce.length > 0 ? this.#announce : this.#host.getMultiaddrs();
    return addresses.map((address) => withPeer(address, this.self).toString());
  }

  setMembers(members: ReadonlyMap<NodeId, readonly string[]>): void {
    if (this.#closed !== null) return;
    const others = new Map([...members].filter(([peer]) => peer !== this.self));
    this.#gate.setMembers(new Set(others.keys()));
    for (const [peer, link] of this.#links) {
      if (others.has(peer)) continue;
      const reason = new Error('no longer a member');
      link.stop(reason);
      this.#links.delete(peer);
      for (const connection of this.#host.getConnections(peerIdFromString(peer))) connection.abort(reason);
    }
    for (const [peer, addresses] of others) {
      const link = this.#links.get(peer) ?? this.#createLink(peer);
      link.setAddresses(addresses);
      if (this.#links.has(peer)) continue;
      this.#links.set(peer, link);
      link.start();
    }
  }

  connected(): readonly NodeId[] {
    return [...this.#links].filter(([, link]) => link.session !== null).map(([peer]) => peer);
  }

  foreign(): readonly NodeId[] {
    return [...this.#links].filter(([, link]) => link.isForeign).map(([peer]) => peer);
  }

  onConnectivity(listener: (peer: NodeId, state: 'up' | 'down') => void): void {
    this.#listeners.push(listener);
  }

  sendRaft(to: NodeId, frame: Uint8Array): 'sent' | 'dropped' {
    const outcome = this.#links.get(to)?.session?.sendRaft(frame) ?? 'dropped';
    if (outcome === 'dropped') this.#meter.dropped();
    return outcome;
  }

  onRaft(handler: (from: NodeId, frame: Uint8Array) => void): void {
    this.#raftHandler = handler;
  }

  async request(
    to: NodeId,
    channel: Channel,
    body: Uint8Array,
    options: { readonly timeoutMs: number },
  ): Promise<Uint8Array> {
    const session = this.#links.get(to)?.session ?? null;
    if (session === null) throw notConnected();
    return await session.request(channel, body, options.timeoutMs);
  }

  handle(channel: Channel, handler: (from: NodeId, body: Uint8Array) => Promise<Uint8Array>): void {
    if (!this.#handlers.has(channel)) this.#handlers.set(channel, handler);
  }

  async *open(to: NodeId, body: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const session = this.#links.get(to)?.session ?? null;
    if (session === null) throw notConnected();
    const { connection: control } = session;
    const lease = await this.#bulk.lease(control.remotePeer, control, signal);
    try {
      const parts = { connection: lease.connection, protocol: this.#protocols.bytes, meter: this.#meter };
      yield* readBytes(parts, body, signal, this.#limits);
    } finally {
      lease.release();
    }
  }

  handleOpen(handler: OpenHandler): void {
    this.#openHandler ??= handler;
  }

  publishCapacity(advert: Uint8Array): void {
    if (this.#closed === null) this.#gossip.publish(advert);
  }

  onCapacity(handler: (from: NodeId, advert: Uint8Array) => void): void {
    this.#gossip.onAdvert(handler);
  }

  onJoin(handler: JoinHandler): void {
    this.#joins.handle(handler);
  }

  async join(addresses: readonly string[], body: Uint8Array): Promise<Uint8Array> {
    return await askToJoin(this.#joinParts(), addresses, body, this.#limits);
  }

  stats(): NetworkStats {
    return {
      members: this.#links.size,
      connected: this.connected().length,
      bytesSent: this.#meter.bytesSent,
      bytesReceived: this.#meter.bytesReceived,
      framesDropped: this.#meter.framesDropped,
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  async #shutDown(): Promise<void> {
    const reason = new Error('this node stops');
    this.#gossip.close();
    this.#gate.close();
    for (const link of this.#links.values()) link.stop(reason);
    this.#links.clear();
    // In order, so that answers on their way arrive; a peer that does not take them does not hold this node up.
    const signal = AbortSignal.timeout(this.#limits.closeTimeoutMs);
    const closing = this.#host.getConnections().map(async (connection) => {
      await connection.close({ signal }).catch((error: unknown) => connection.abort(asError(error)));
    });
    await Promise.all(closing);
    await stopHost(this.#host);
  }

  #createLink(peer: NodeId): PeerLink {
    return new PeerLink(
      {
        host: this.#host,
        peer: peerIdFromString(peer),
        protocols: this.#protocols,
        bulk: this.#bulk,
        finder: this.#finder,
        meter: this.#meter,
        rpcMetrics: this.#rpcMetrics,
        logger: this.#logger,
        random: Math.random,
        onState: (state, connection) => this.#changed(peer, state, connection),
      },
      this.#limits,
    );
  }

  #changed(peer: NodeId, state: 'up' | 'down', connection: Connection): void {
    this.#linkMetrics.changed(state);
    if (state === 'up') this.#gate.introduce(connection);
    else this.#gate.withdraw(connection);
    this.#logger.info({ peer }, state === 'up' ? 'a member is connected' : 'a member is disconnected');
    for (const listener of this.#listeners) listener(peer, state);
  }

  #acceptRaft(stream: Stream, connection: Connection): void {
    const from = connection.remotePeer.toString() as NodeId;
    this.#frames(stream, from, raftBuffers(this.#limits), () => (frame) => {
      this.#raftHandler(from, frame);
      return true;
    });
  }

  #acceptChannel(channel: Channel, stream: Stream, connection: Connection): void {
    const from = connection.remotePeer.toString() as NodeId;
    this.#frames(stream, from, rpcBuffers(this.#limits), (framed) => {
      const responder = new RpcResponder(
        {
          stream: () => framed(),
          handle: (body) => this.#answer(channel, from, body),
          onBug: (error) => this.#logger.error({ from, channel, err: error }, 'the handler of a request failed'),
        },
        this.#limits,
      );
      return (frame) => responder.receive(frame);
    });
    if (channel === 'control') this.#links.get(from)?.adopt(connection);
  }

  /** @param receiver makes what takes the frames; it answers false for a malformed one */
  #frames(
    stream: Stream,
    from: NodeId,
    buffers: { readonly maxFrameBytes: number; readonly maxBufferedBytes: number },
    receiver: (framed: () => FrameStream) => (frame: Uint8Array) => boolean,
  ): void {
    const receive = receiver(() => framed);
    const framed: FrameStream = new FrameStream(
      {
        stream,
        meter: this.#meter,
        onFrame: (frame) => receive(frame) || framed.abort(new Error('a malformed frame')),
        onClose: (error) => {
          this.#inbound.delete(framed);
          if (error !== null)
            this.#logger.debug({ from, protocol: stream.protocol, reason: error.message }, 'a stream ended');
        },
      },
      buffers,
    );
    this.#inbound.add(framed);
  }

  async #answer(channel: Channel, from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const handler = this.#handlers.get(channel);
    if (handler === undefined) throw new Fault('peerUnreachable', 'the peer is still starting');
    return await handler(from, body);
  }

  #acceptBytes(stream: Stream, connection: Connection): void {
    const from = connection.remotePeer.toString() as NodeId;
    const handler = this.#openHandler;
    if (handler === null) return stream.abort(new Error('still starting'));
    if (this.#links.get(from)?.session?.connection !== connection) this.#bulk.mark(connection);
    new BytesResponder({ from, stream, handler, logger: this.#logger, meter: this.#meter }, this.#limits).start();
  }

  #joinParts() {
    return {
      host: this.#host,
      gate: this.#gate,
      protocol: this.#protocols.join,
      meter: this.#meter,
      rpcMetrics: this.#rpcMetrics,
      logger: this.#logger,
    };
  }

  *#sessions() {
    for (const { session } of this.#links.values()) if (session !== null) yield session;
  }
}

function notConnected(): Fault {
  return new Fault('peerUnreachable', 'the peer is not connected');
}
