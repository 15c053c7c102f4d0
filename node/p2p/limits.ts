/**
 * Every limit of the peer-to-peer network. No user meets them by name; `createPeerNetwork` takes another value for any
 * of them, mostly for tests.
 */
export const NETWORK_LIMITS = {
  /** Connections of all kinds at one node; a member holds up to three (control, bulk, one doubled by a race). */
  maxConnections: 4096,
  /** Connections that one remote host may open in a second. libp2p's 5 resets the sixth node of one machine. */
  inboundConnectionsPerSecond: 512,
  maxPendingInboundConnections: 512,
  maxParallelDials: 64,
  maxDialQueue: 2048,
  maxAddressesPerDial: 16,
  dialTimeoutMs: 6000,
  addressDialTimeoutMs: 3000,
  upgradeTimeoutMs: 5000,
  streamOpenTimeoutMs: 3000,

  /** Streams of one kind on one connection, beside those of `open()`. */
  streamsPerProtocol: 64,
  streamsPerConnection: 1024,
  /** `open()` streams under way to, and from, one peer. */
  openStreamsPerPeer: 512,

  /**
   * A stream's flow-control window: what may be under way unread. Must stay below `readBufferBytes`. All of it may come
   * in one turn of the event loop, and consensus waits meanwhile: with 1 MiB a request beside one busy stream took
   * four times as long.
   */
  streamWindowBytes: 256 * 1024,
  /** A stream that holds more unread bytes is reset by libp2p. */
  readBufferBytes: 4 * 1024 * 1024,

  raftFrameBytes: 32 * 1024 * 1024,
  raftBufferBytes: 64 * 1024 * 1024,
  rpcFrameBytes: 32 * 1024 * 1024,
  rpcBufferBytes: 64 * 1024 * 1024,
  /** Requests without an answer, at either end of one stream. */
  rpcInflight: 8192,
  /** The body of an `open()`, and one chunk as it travels. */
  openRequestBytes: 256 * 1024,
  chunkBytes: 64 * 1024,
  /** Chunks received and not yet taken by the reader; the stream is paused above. */
  unreadChunkBytes: 512 * 1024,
  joinFrameBytes: 256 * 1024,
  joinTimeoutMs: 30_000,
  joinsInflight: 32,

  /** A frozen or cut-off member is down after this many intervals without an answer. */
  pingIntervalMs: 1000,
  missedPings: 3,
  /** A member must answer on the control stream within this time of the connection. */
  sessionReadyTimeoutMs: 5000,
  /** A member that is still starting knows no protocols for a moment; one that never does is of another cluster. */
  foreignAnswers: 6,
  redialMinMs: 100,
  redialMaxMs: 3000,
  reopenMinMs: 20,
  reopenMaxMs: 1000,
  /** Streams that failed in a row before the connection is given up. */
  reopenTries: 8,
  /** Of two ends that dial at the same moment one starts about this much later, and mostly finds itself connected. */
  politeDialMs: 150,
  /** Connections opened by both ends within this time are one race, settled by peer id. */
  simultaneousMs: 3000,
  /** How long a doubled connection may finish what is under way. */
  retireMs: 5000,
  bulkIdleMs: 30_000,

  /** Failed dials in a row before the DHT is asked for newer addresses, and the least time between two such asks. */
  dialsBeforeLookup: 3,
  lookupIntervalMs: 5000,
  lookupTimeoutMs: 3000,

  /** Connections of nodes that hold the key and are no members, and how long they last: longer than a join. */
  maxStrangers: 32,
  strangerGraceMs: 45_000,

  gossipMessageBytes: 64 * 1024,
  gossipBufferBytes: 1024 * 1024,
  gossipHeartbeatMs: 700,
  gossipRepairMs: 1000,

  dhtQueryIntervalMs: 10 * 60_000,
  closeTimeoutMs: 400,
} as const;

export type NetworkLimits = { readonly [Name in keyof typeof NETWORK_LIMITS]: number };

export function withLimits(changed: Partial<NetworkLimits>): NetworkLimits {
  return { ...NETWORK_LIMITS, ...changed };
}
