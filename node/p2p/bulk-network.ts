import { noise } from '@chainsafe/libp2p-noise';
import type { Libp2p, PrivateKey } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { preSharedKey } from '@libp2p/pnet';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Logger } from 'pino';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Address } from '../config/config.ts';
import { listenError } from '../listen-error.ts';
import { multiaddrOf, parseAddress, preferReachable, withPeer } from './addresses.ts';
import { BytesResponder, type OpenHandler, readBytes } from './bytes-channel.ts';
import { formatSwarmKey } from './cluster-key.ts';
import { asError } from './frame-stream.ts';
import { Gate } from './gate.ts';
import { libp2pLogger } from './libp2p-logger.ts';
import { connectionOptions, yamuxOptions } from './libp2p-options.ts';
import { type NetworkLimits, withLimits } from './limits.ts';
import { clusterProtocols } from './protocols.ts';
import { TrafficMeter } from './traffic.ts';

export interface BulkNetworkDependencies {
  readonly logger: Logger;
  /** The node's own: its id is the same here as on the network of control. */
  readonly privateKey: PrivateKey;
  readonly clusterKey: Uint8Array;
  readonly clusterId: string;
}

export interface BulkNetworkOptions {
  /** When another has the port, any other is taken: members are told which. */
  readonly listen: Address;
  /** As of the network of control; the port is this one's. */
  readonly advertise: readonly string[];
  readonly limits?: Partial<NetworkLimits>;
}

/** No consensus runs beside it, so more may be under way at a time than on the network of control. */
const BULK_LIMITS: Partial<NetworkLimits> = {
  chunkBytes: 256 * 1024,
  streamWindowBytes: 1024 * 1024,
  unreadChunkBytes: 1024 * 1024,
};

/**
 * A libp2p host of its own for bytes, in the thread of the blobs: streams by which a member asks another something and
 * gets bytes. Only members are let in; connections are made at need and kept.
 */
export class BulkNetwork {
  readonly #host: Libp2p;
  readonly #gate: Gate;
  readonly #protocol: string;
  readonly #logger: Logger;
  readonly #limits: NetworkLimits;
  readonly #advertise: readonly string[];
  readonly #meter = new TrafficMeter(undefined);
  #members: ReadonlyMap<NodeId, readonly string[]> = new Map();

  /** @throws Rejection as `listenError` */
  static async start(
    dependencies: BulkNetworkDependencies,
    options: BulkNetworkOptions,
    handler: OpenHandler,
  ): Promise<BulkNetwork> {
    const limits = withLimits({ ...BULK_LIMITS, ...options.limits });
    const { logger } = dependencies;
    const gate = new Gate({ logger, registry: undefined }, limits);
    const host = await listen(dependencies, options.listen, { gate, limits }).catch(async (error: unknown) => {
      if (!(error instanceof Rejection) || error.code !== 'conflict') throw error;
      logger.warn({ port: options.listen.port }, 'another has the port for blobs: any other is taken');
      return await listen(dependencies, { ...options.listen, port: 0 }, { gate, limits });
    });
    const network = new BulkNetwork({ ...dependencies, host, gate }, { limits, advertise: options.advertise });
    await network.#serve(handler);
    return network;
  }

  private constructor(
    parts: BulkNetworkDependencies & { readonly host: Libp2p; readonly gate: Gate },
    options: { readonly limits: NetworkLimits; readonly advertise: readonly string[] },
  ) {
    this.#host = parts.host;
    this.#gate = parts.gate;
    this.#logger = parts.logger;
    this.#protocol = clusterProtocols(parts.clusterId).bulk;
    this.#limits = options.limits;
    this.#advertise = options.advertise;
  }

  get bytesSent(): number {
    return this.#meter.bytesSent;
  }

  get bytesReceived(): number {
    return this.#meter.bytesReceived;
  }

  /** Multiaddrs under which members reach it. */
  addresses(): readonly string[] {
    const bound = preferReachable(this.#host.getMultiaddrs());
    const port = /\/tcp\/(\d+)/.exec(bound[0]?.toString() ?? '')?.[1] ?? '0';
    const told = this.#advertise.map((text) =>
      parseAddress(text)
        .toString()
        .replace(/\/tcp\/\d+.*$/, `/tcp/${port}`),
    );
    return told.length > 0 ? told : bound.map((address) => address.toString().replace(/\/p2p\/.*$/, ''));
  }

  /** Connections of anyone else end. */
  setMembers(members: ReadonlyMap<NodeId, readonly string[]>): void {
    this.#members = members;
    this.#gate.setMembers(new Set(members.keys()));
    for (const connection of this.#host.getConnections()) {
      const peer = connection.remotePeer.toString() as NodeId;
      if (members.has(peer)) continue;
      connection.abort(new Error('no longer a member'));
    }
  }

  /** Streams to it end now: it is known to be gone. */
  drop(peer: NodeId): void {
    for (const connection of this.#host.getConnections(peerIdFromString(peer))) {
      connection.abort(new Error('the member is gone'));
    }
  }

  /**
   * What the member's handler yields. @param stallMs so long it may yield nothing
   * @throws Fault `peerUnreachable`, `timedOut`; what the handler threw
   */
  async *open(to: NodeId, body: Uint8Array, signal: AbortSignal, stallMs: number): AsyncGenerator<Uint8Array, void> {
    const stalled = new AbortController();
    const both = AbortSignal.any([signal, stalled.signal]);
    const watch = (): NodeJS.Timeout =>
      setTimeout(() => stalled.abort(new Fault('timedOut', 'the member sends nothing any more')), stallMs);
    let timer = watch();
    try {
      const connection = await this.#dial(to, both);
      const chunks = readBytes({ connection, protocol: this.#protocol, meter: this.#meter }, body, both, this.#limits);
      for await (const chunk of chunks) {
        clearTimeout(timer);
        yield chunk;
        timer = watch();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.#gate.close();
    for (const connection of this.#host.getConnections()) connection.abort(new Error('this node stops'));
    await this.#host.stop();
  }

  async #serve(handler: OpenHandler): Promise<void> {
    const { openStreamsPerPeer } = this.#limits;
    this.#host.addEventListener('connection:open', ({ detail }) => this.#gate.admit(detail));
    const accept = this.#gate.guard(this.#protocol, (stream, connection) => {
      const from = connection.remotePeer.toString() as NodeId;
      new BytesResponder({ from, stream, handler, logger: this.#logger, meter: this.#meter }, this.#limits).start();
    });
    await this.#host.handle(this.#protocol, accept, {
      maxInboundStreams: openStreamsPerPeer,
      maxOutboundStreams: openStreamsPerPeer,
    });
  }

  /** A connection that is there, by whomever it was made, is used. */
  async #dial(to: NodeId, signal: AbortSignal) {
    const addresses = (this.#members.get(to) ?? []).map((text) => withPeer(multiaddr(text), to));
    if (addresses.length === 0) throw new Fault('peerUnreachable', 'it is not known where the member takes bytes');
    const timeout = AbortSignal.timeout(this.#limits.dialTimeoutMs);
    try {
      return await this.#host.dial(addresses, { signal: AbortSignal.any([signal, timeout]) });
    } catch (error) {
      signal.throwIfAborted();
      throw new Fault('peerUnreachable', 'the member cannot be reached', { cause: asError(error) });
    }
  }
}

async function listen(
  { logger, privateKey, clusterKey }: BulkNetworkDependencies,
  address: Address,
  { gate, limits }: { readonly gate: Gate; readonly limits: NetworkLimits },
): Promise<Libp2p> {
  const host = await createLibp2p({
    privateKey,
    logger: libp2pLogger(logger),
    nodeInfo: { name: 'quorate', version: '1', userAgent: 'quorate' },
    addresses: { listen: [multiaddrOf(address).toString()] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux(yamuxOptions(limits))],
    connectionProtector: preSharedKey({ psk: formatSwarmKey(clusterKey) }),
    connectionGater: gate.connectionGater(),
    connectionManager: connectionOptions(limits),
    connectionMonitor: { enabled: false },
    start: false,
  });
  try {
    await host.start();
  } catch (error) {
    await Promise.resolve(host.stop()).catch(() => {});
    throw listenError('bulk', `${address.host}:${address.port}`, error);
  }
  return host;
}
