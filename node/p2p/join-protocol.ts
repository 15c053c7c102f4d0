import type { Connection, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { Logger } from 'pino';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import { parseAddress } from './addresses.ts';
import { asError, FrameStream } from './frame-stream.ts';
import type { Gate } from './gate.ts';
import type { Host } from './libp2p-host.ts';
import type { NetworkLimits } from './limits.ts';
import { RpcCaller, type RpcMetrics, RpcResponder } from './rpc-channel.ts';
import type { TrafficMeter } from './traffic.ts';

export type JoinHandler = (from: NodeId, body: Uint8Array) => Promise<Uint8Array>;

interface JoinParts {
  readonly host: Host;
  readonly gate: Gate;
  readonly protocol: string;
  readonly meter: TrafficMeter;
  readonly rpcMetrics: RpcMetrics;
  readonly logger: Logger;
}

/** At a member: answers strangers, a few at a time. */
export class JoinResponder {
  readonly #parts: JoinParts;
  readonly #limits: NetworkLimits;
  #handler: JoinHandler | null = null;
  #inflight = 0;

  constructor(parts: JoinParts, limits: NetworkLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  handle(handler: JoinHandler): void {
    this.#handler ??= handler;
  }

  accept(stream: Stream, connection: Connection): void {
    const from = connection.remotePeer.toString() as NodeId;
    const { meter, logger } = this.#parts;
    const responder: RpcResponder = new RpcResponder(
      {
        stream: () => framed,
        handle: (body) => this.#answer(from, body),
        onBug: (error) => logger.error({ from, err: error }, 'answering a join failed'),
      },
      this.#limits,
    );
    const framed: FrameStream = new FrameStream(
      {
        stream,
        meter,
        onFrame: (frame) => responder.receive(frame) || framed.abort(new Error('a malformed frame')),
        onClose: () => {},
      },
      joinBuffers(this.#limits),
    );
  }

  async #answer(from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const handler = this.#handler;
    if (handler === null) throw new Fault('stopping', 'this member is still starting');
    if (this.#inflight >= this.#limits.joinsInflight) throw new Fault('overloaded', 'too many nodes join at once');
    this.#inflight += 1;
    try {
      return await handler(from, body);
    } finally {
      this.#inflight -= 1;
    }
  }
}

/**
 * At the new node: asks one address after another. A Rejection ends it, since the next member would say the same.
 * @throws Rejection as the member answered or `invalidRequest` for an address; Fault as a member answered, else
 *   `peerUnreachable` with what each address said
 */
export async function askToJoin(
  parts: JoinParts,
  addresses: readonly string[],
  body: Uint8Array,
  limits: NetworkLimits,
): Promise<Uint8Array> {
  const targets = addresses.map((text) => ({ text, address: parseAddress(text) }));
  const reasons: string[] = [];
  let answered: Fault | null = null;
  for (const { text, address } of targets) {
    try {
      return await parts.gate.whileJoining(() => askOne(parts, address, body, limits));
    } catch (error) {
      if (error instanceof Rejection) throw error;
      if (error instanceof Fault && error.code !== 'peerUnreachable') answered = error;
      reasons.push(`${text}: ${asError(error).message}`);
    }
  }
  if (answered !== null) throw answered;
  if (reasons.length === 0) throw new Fault('peerUnreachable', 'there is no address to ask');
  throw new Fault('peerUnreachable', `no member was reached. ${reasons.join('; ')}`);
}

async function askOne(parts: JoinParts, address: Multiaddr, body: Uint8Array, limits: NetworkLimits) {
  const connection = await dial(parts.host, address, limits);
  parts.gate.admit(connection);
  const caller = await openCaller(parts, connection, limits);
  try {
    return await caller.rpc.request(body, limits.joinTimeoutMs);
  } finally {
    void caller.framed.close(AbortSignal.timeout(limits.closeTimeoutMs));
  }
}

async function dial(host: Host, address: Multiaddr, limits: NetworkLimits): Promise<Connection> {
  let reached: 'nothing' | 'handshake' = 'nothing';
  try {
    return await host.dial(address, {
      signal: AbortSignal.timeout(limits.dialTimeoutMs),
      onProgress: ({ type }) => {
        if (type === 'upgrader:encrypt-outbound-connection') reached = 'handshake';
      },
    });
  } catch (error) {
    throw new Fault('peerUnreachable', whyUnreachable(asError(error), reached), { cause: error });
  }
}

/** The key is wrong when both ends have begun to talk and do not understand one another. */
function whyUnreachable(error: Error, reached: 'nothing' | 'handshake'): string {
  const text = `${error.name} ${error.message} ${error instanceof AggregateError ? error.errors.map(String).join(' ') : ''}`;
  if (/ECONNREFUSED/.test(text)) return 'nobody listens there';
  if (/ENOTFOUND|EAI_AGAIN/.test(text)) return 'the host name is not known';
  if (/UnexpectedPeer|does not match expected/i.test(text)) return 'another node than the expected one answers there';
  if (/dial self/i.test(text)) return 'that is this node itself';
  if (reached === 'handshake') return 'the cluster key does not match, or something else listens there';
  if (/ECONNRESET|EPIPE|unexpected end|closed/i.test(text)) return 'what listens there closed the connection';
  return `no connection (${error.message.slice(0, 200)})`;
}

async function openCaller(parts: JoinParts, connection: Connection, limits: NetworkLimits) {
  const { protocol, meter, rpcMetrics } = parts;
  const stream = await connection
    .newStream(protocol, { signal: AbortSignal.timeout(limits.streamOpenTimeoutMs) })
    .catch((error: unknown) => {
      if (asError(error).name === 'UnsupportedProtocolError') {
        throw new Rejection('wrongCluster', 'the node there belongs to another cluster or speaks another version');
      }
      throw new Fault('peerUnreachable', 'the member closed the connection', { cause: error });
    });
  const rpc: RpcCaller = new RpcCaller(
    { channel: 'control', stream: () => framed, metrics: rpcMetrics, onPong: () => {} },
    limits,
  );
  const framed: FrameStream = new FrameStream(
    {
      stream,
      meter,
      onFrame: (frame) => rpc.receive(frame) || framed.abort(new Error('a malformed frame')),
      onClose: (error) => rpc.broke(error ?? new Error('the member closed the stream')),
    },
    joinBuffers(limits),
  );
  return { rpc, framed };
}

function joinBuffers(limits: NetworkLimits) {
  return { maxFrameBytes: limits.joinFrameBytes, maxBufferedBytes: limits.joinFrameBytes * 2 };
}
