import type { NetworkLimits } from './limits.ts';

/** libp2p's names for the limits of a host's connections. */
export function connectionOptions(limits: NetworkLimits) {
  return {
    maxConnections: limits.maxConnections,
    inboundConnectionThreshold: limits.inboundConnectionsPerSecond,
    maxIncomingPendingConnections: limits.maxPendingInboundConnections,
    maxParallelDials: limits.maxParallelDials,
    maxDialQueueLength: limits.maxDialQueue,
    maxPeerAddrsToDial: limits.maxAddressesPerDial,
    dialTimeout: limits.dialTimeoutMs,
    addressDialTimeout: limits.addressDialTimeoutMs,
    inboundUpgradeTimeout: limits.upgradeTimeoutMs,
    inboundStreamProtocolNegotiationTimeout: limits.streamOpenTimeoutMs,
    outboundStreamProtocolNegotiationTimeout: limits.streamOpenTimeoutMs,
    connectionCloseTimeout: limits.closeTimeoutMs,
    addressSorter: () => 0 as const,
    // Members are redialled by their links, which know more than libp2p.
    reconnectRetries: 0,
  };
}

export function yamuxOptions(limits: NetworkLimits) {
  return {
    maxInboundStreams: limits.streamsPerConnection,
    maxOutboundStreams: limits.streamsPerConnection,
    // Streams that come before this end is ready for them; the default of 10 aborts the connection.
    maxEarlyStreams: limits.streamsPerConnection,
    streamOptions: {
      // A paused stream may still get a whole window; were that more than the read buffer, pausing would reset it.
      maxStreamWindowSize: limits.streamWindowBytes,
      maxReadBufferLength: limits.readBufferBytes,
    },
  };
}
