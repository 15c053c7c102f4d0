import { noise } from '@chainsafe/libp2p-noise';
import { type GossipSub, type GossipsubOpts, gossipsub, StrictSign } from '@libp2p/gossipsub';
import { type Identify, identify } from '@libp2p/identify';
import type { Libp2p, PrivateKey } from '@libp2p/interface';
import { type KadDHT, kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import { ping } from '@libp2p/ping';
import { preSharedKey } from '@libp2p/pnet';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Logger } from 'pino';
import type { Address } from '../config/config.ts';
import { listenError } from '../listen-error.ts';
import { multiaddrOf, preferReachable } from './addresses.ts';
import { formatSwarmKey } from './cluster-key.ts';
import type { Gate, ProtocolRegistrar } from './gate.ts';
import { libp2pLogger } from './libp2p-logger.ts';
import { connectionOptions, yamuxOptions } from './libp2p-options.ts';
import type { NetworkLimits } from './limits.ts';
import type { ClusterProtocols } from './protocols.ts';

export type Host = Libp2p<{ identify: Identify; pubsub: GossipSub; dht: KadDHT; events: EventTarget }>;

export interface HostDependencies {
  readonly logger: Logger;
  readonly privateKey: PrivateKey;
  readonly clusterKey: Uint8Array;
  readonly protocols: ClusterProtocols;
  readonly gate: Gate;
}

export interface HostOptions {
  readonly listen: Address;
  /** Empty: what is bound. */
  readonly announce: readonly Multiaddr[];
  readonly limits: NetworkLimits;
}

/** libp2p set up for one cluster. @throws Rejection `conflict` when the port is in use, and others as `listenError` */
export async function startHost(dependencies: HostDependencies, options: HostOptions): Promise<Host> {
  const { logger, privateKey, clusterKey, gate } = dependencies;
  const { limits } = options;
  const host = await createLibp2p({
    privateKey,
    logger: libp2pLogger(logger),
    nodeInfo: { name: 'quorate', version: '1', userAgent: 'quorate' },
    addresses: {
      listen: [multiaddrOf(options.listen).toString()],
      announce: options.announce.map(String),
      // Addresses that others claim to see this node at are never passed on.
      announceFilter: (addresses) => (options.announce.length > 0 ? [...options.announce] : preferReachable(addresses)),
    },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux(yamuxOptions(limits))],
    connectionProtector: preSharedKey({ psk: formatSwarmKey(clusterKey) }),
    connectionGater: gate.connectionGater(),
    connectionManager: connectionOptions(limits),
    // Each session has its own pings, which also see a frozen process.
    connectionMonitor: { enabled: false },
    services: services(dependencies, limits),
    start: false,
  });
  try {
    await host.start();
  } catch (error) {
    await Promise.resolve(host.stop()).catch(() => {});
    throw listenError('p2p', `${options.listen.host}:${options.listen.port}`, error);
  }
  return host;
}

/** Stops it without the two timers that libp2p 3.3 leaves behind, which would hold the process for a second. */
export async function stopHost(host: Host): Promise<void> {
  const { events, pubsub } = host.services;
  // The address manager plans to write down its addresses, a second after the last listener is closed.
  const dispatch = events.dispatchEvent.bind(events);
  events.dispatchEvent = (event) => event.type === 'transport:close' || dispatch(event);
  // Gossipsub does not clear the timer of its next heartbeat.
  const { status } = pubsub as { readonly status?: { readonly heartbeatTimeout?: NodeJS.Timeout } };
  clearTimeout(status?.heartbeatTimeout);
  await host.stop();
}

function services({ protocols, gate }: HostDependencies, limits: NetworkLimits) {
  return {
    identify: identify(),
    events: ({ events }: { readonly events: EventTarget }) => events,
    ping: guarded(gate, ping()),
    dht: guarded(
      gate,
      kadDHT({
        protocol: protocols.kad,
        clientMode: false,
        // The default mapper drops private addresses, and a cluster mostly has no others.
        peerInfoMapper: passthroughMapper,
        allowQueryWithZeroPeers: true,
        querySelfInterval: limits.dhtQueryIntervalMs,
        initialQuerySelfInterval: limits.dhtQueryIntervalMs,
        maxInboundStreams: limits.streamsPerProtocol,
        maxOutboundStreams: limits.streamsPerProtocol,
      }),
    ),
    pubsub: guarded(gate, gossipsub(gossipOptions(protocols, limits))),
  };
}

function gossipOptions(protocols: ClusterProtocols, limits: NetworkLimits): Partial<GossipsubOpts> {
  return {
    allowedTopics: [protocols.capacityTopic],
    globalSignaturePolicy: StrictSign,
    floodPublish: true,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    fallbackToFloodsub: false,
    emitSelf: false,
    doPX: false,
    tagMeshPeers: false,
    // The defaults want four peers at least and would graft in vain for ever in a cluster of three.
    D: 6,
    Dlo: 2,
    Dhi: 12,
    Dscore: 1,
    Dout: 0,
    heartbeatInterval: limits.gossipHeartbeatMs,
    maxInboundDataLength: limits.gossipMessageBytes,
    maxOutboundBufferSize: limits.gossipBufferBytes,
    // Many members of one host share an address, which the default score punishes; members are trusted.
    scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
  };
}

/** The service sees libp2p as it is but for the registrar, which the gate stands before. */
function guarded<Components extends object, Service>(
  gate: Gate,
  create: (components: Components) => Service,
): (components: Components) => Service {
  return (components) => {
    const { registrar } = components as { readonly registrar: ProtocolRegistrar };
    const guardedRegistrar = gate.guardRegistrar(registrar);
    return create(
      new Proxy(components, {
        get: (target, name) => (name === 'registrar' ? guardedRegistrar : Reflect.get(target, name)),
      }),
    );
  };
}
