import type { Connection } from '@libp2p/interface';
import type { Logger } from 'pino';
import { asError, FrameStream } from './frame-stream.ts';
import type { NetworkLimits } from './limits.ts';
import { LongLivedStream } from './long-lived-stream.ts';
import type { Channel } from './network.ts';
import type { ClusterProtocols } from './protocols.ts';
import { RpcCaller, type RpcMetrics } from './rpc-channel.ts';
import type { TrafficMeter } from './traffic.ts';

export interface PeerSessionDependencies {
  readonly connection: Connection;
  readonly protocols: ClusterProtocols;
  readonly meter: TrafficMeter;
  readonly rpcMetrics: RpcMetrics;
  readonly logger: Logger;
  readonly random: () => number;
  /** The peer answered on the control stream: both sides take each other for members. Called once. */
  readonly onReady: () => void;
  /** The peer itself answers and does not know this cluster's control stream. Called at every try. */
  readonly onForeign: () => void;
  /** The connection is of no more use. Called once. */
  readonly onDead: (reason: Error) => void;
}

interface Caller {
  readonly stream: LongLivedStream;
  readonly rpc: RpcCaller;
}

/**
 * This node's sending streams on one connection to a member: Raft, control and dispatch, one each, and the pings that
 * notice when nobody answers any more. The peer has streams of its own for what it sends.
 */
export class PeerSession {
  readonly connection: Connection;
  readonly openedAt = performance.now();
  readonly #dependencies: PeerSessionDependencies;
  readonly #limits: NetworkLimits;
  readonly #raft: LongLivedStream;
  readonly #callers: Readonly<Record<Channel, Caller>>;
  readonly #pings: NodeJS.Timeout;
  readonly #readyTimer: NodeJS.Timeout;
  #unanswered = 0;
  #ready = false;
  #ended = false;

  constructor(dependencies: PeerSessionDependencies, limits: NetworkLimits) {
    const { connection, protocols } = dependencies;
    this.connection = connection;
    this.#dependencies = dependencies;
    this.#limits = limits;
    // Nobody answers on a Raft stream: a frame there is a mistake, which ends it.
    this.#raft = this.#longLived(protocols.raft, () => false, { onOpen: () => {}, onBreak: () => {} });
    this.#callers = { control: this.#caller('control'), dispatch: this.#caller('dispatch') };
    this.#pings = setInterval(() => this.#ping(), limits.pingIntervalMs);
    this.#readyTimer = setTimeout(
      () => this.#die(new Error('the peer did not answer on the control stream')),
      limits.sessionReadyTimeoutMs,
    );
    connection.addEventListener('close', () => this.#die(new Error('the connection closed')));
    this.#raft.start();
    this.#callers.control.stream.start();
    this.#callers.dispatch.stream.start();
  }

  get ready(): boolean {
    return this.#ready && !this.#ended;
  }

  get inflight(): number {
    return this.#callers.control.rpc.inflight + this.#callers.dispatch.rpc.inflight;
  }

  sendRaft(frame: Uint8Array): 'sent' | 'dropped' {
    return this.#raft.current?.send(frame) === 'sent' ? 'sent' : 'dropped';
  }

  request(channel: Channel, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return this.#callers[channel].rpc.request(body, timeoutMs);
  }

  /** Ends the streams; the connection stays as it is. */
  end(reason: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#pings);
    clearTimeout(this.#readyTimer);
    this.#raft.stop(reason);
    for (const { stream } of Object.values(this.#callers)) stream.stop(reason);
  }

  #caller(channel: Channel): Caller {
    const rpc: RpcCaller = new RpcCaller(
      {
        channel,
        stream: () => stream.current,
        metrics: this.#dependencies.rpcMetrics,
        onPong: () => this.#pong(channel),
      },
      this.#limits,
    );
    const stream: LongLivedStream = this.#longLived(
      this.#dependencies.protocols.channels[channel],
      (frame) => rpc.receive(frame),
      { onOpen: () => rpc.ping(), onBreak: (error) => rpc.broke(error) },
    );
    return { stream, rpc };
  }

  #longLived(
    protocol: string,
    receive: (frame: Uint8Array) => boolean,
    on: { readonly onOpen: () => void; readonly onBreak: (error: Error) => void },
  ): LongLivedStream {
    const { connection, meter, logger, random } = this.#dependencies;
    const limits = this.#limits;
    const frames = protocol === this.#dependencies.protocols.raft ? raftBuffers(limits) : rpcBuffers(limits);
    return new LongLivedStream(
      {
        open: async (onClose, signal) => {
          const stream = await connection
            .newStream(protocol, { signal, maxOutboundStreams: limits.streamsPerProtocol })
            .catch((error: unknown) => this.#notOpened(protocol, asError(error)));
          const framed: FrameStream = new FrameStream(
            {
              stream,
              meter,
              onClose,
              onFrame: (frame) => receive(frame) || framed.abort(new Error('a malformed frame')),
            },
            frames,
          );
          return framed;
        },
        onOpen: on.onOpen,
        onBreak: (error) => {
          const peer = connection.remotePeer.toString();
          if (!this.#ended) logger.debug({ peer, protocol, reason: error.message }, 'a stream to a peer broke');
          on.onBreak(error);
        },
        onGiveUp: (error) => this.#die(error),
        random,
      },
      limits,
    );
  }

  #notOpened(protocol: string, error: Error): never {
    const isForeign = error.name === 'UnsupportedProtocolError';
    if (isForeign && protocol === this.#dependencies.protocols.channels.control) this.#dependencies.onForeign();
    throw error;
  }

  #ping(): void {
    // Counted in rounds, not in time: after a stall of this process one round is late, and the answers that came
    // meanwhile are read before the next.
    if (this.#unanswered >= this.#limits.missedPings) {
      this.#die(new Error('the peer does not answer'));
      return;
    }
    this.#unanswered += 1;
    this.#callers.control.rpc.ping();
  }

  #pong(channel: Channel): void {
    this.#callers[channel].stream.proved();
    if (channel !== 'control' || this.#ended) return;
    this.#unanswered = 0;
    // A Raft stream that the peer refuses would never be noticed by itself; the pongs say that it is a member.
    if (this.#raft.current !== null) this.#raft.proved();
    if (this.#ready) return;
    this.#ready = true;
    clearTimeout(this.#readyTimer);
    this.#dependencies.onReady();
  }

  #die(reason: Error): void {
    if (this.#ended) return;
    this.end(reason);
    this.#dependencies.onDead(reason);
  }
}

export function raftBuffers(limits: NetworkLimits) {
  return { maxFrameBytes: limits.raftFrameBytes, maxBufferedBytes: limits.raftBufferBytes };
}

export function rpcBuffers(limits: NetworkLimits) {
  return { maxFrameBytes: limits.rpcFrameBytes, maxBufferedBytes: limits.rpcBufferBytes };
}
