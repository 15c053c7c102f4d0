import { Histogram, type Registry } from 'prom-client';
import { Fault, Rejection } from '../../src/errors.ts';
import { decodeError, encodeError } from './error-codec.ts';
import type { FrameStream } from './frame-stream.ts';
import type { NetworkLimits } from './limits.ts';
import type { Channel } from './network.ts';
import { decodeRpcFrame, encodeRpcFrame } from './rpc-frames.ts';

const LATENCY_BUCKETS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10];
const ID_MODULUS = 2 ** 32;

export class RpcMetrics {
  readonly #seconds: Histogram<'channel'> | null;

  constructor(registry: Registry | undefined) {
    this.#seconds =
      registry === undefined
        ? null
        : new Histogram({
            name: 'quorate_p2p_request_seconds',
            help: 'Time from a request to a peer until its answer, by channel.',
            labelNames: ['channel'],
            buckets: LATENCY_BUCKETS,
            registers: [registry],
          });
  }

  answered(channel: Channel, ms: number): void {
    this.#seconds?.observe({ channel }, ms / 1000);
  }
}

interface Pending {
  readonly startedAt: number;
  readonly timer: NodeJS.Timeout;
  resolve(body: Uint8Array): void;
  reject(error: Error): void;
}

/** The asking end of a channel: requests by id over the stream of the moment. */
export class RpcCaller {
  readonly #channel: Channel;
  readonly #stream: () => FrameStream | null;
  readonly #metrics: RpcMetrics;
  readonly #onPong: () => void;
  readonly #limits: NetworkLimits;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(
    dependencies: {
      readonly channel: Channel;
      readonly stream: () => FrameStream | null;
      readonly metrics: RpcMetrics;
      readonly onPong: () => void;
    },
    limits: NetworkLimits,
  ) {
    this.#channel = dependencies.channel;
    this.#stream = dependencies.stream;
    this.#metrics = dependencies.metrics;
    this.#onPong = dependencies.onPong;
    this.#limits = limits;
  }

  get inflight(): number {
    return this.#pending.size;
  }

  /** @throws Fault `peerUnreachable`, `overloaded`, `timedOut`; Rejection `tooLarge`; whatever the handler threw */
  request(body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#pending.size >= this.#limits.rpcInflight)
        throw new Fault('overloaded', 'too many requests to this peer');
      const id = this.#nextId();
      this.#send(encodeRpcFrame('request', id, body));
      const timer = setTimeout(() => this.#timeOut(id, timeoutMs), timeoutMs);
      this.#pending.set(id, { startedAt: performance.now(), timer, resolve, reject });
    });
  }

  ping(): void {
    this.#stream()?.send(encodeRpcFrame('ping', 0));
  }

  /** @returns false when the frame is malformed */
  receive(frame: Uint8Array): boolean {
    const read = decodeRpcFrame(frame);
    if (read === null) return false;
    switch (read.type) {
      case 'pong':
        this.#onPong();
        return true;
      case 'answer':
        this.#settle(read.id, (pending) => pending.resolve(read.body));
        return true;
      case 'error':
        this.#settle(read.id, (pending) => pending.reject(decodeError(read.body)));
        return true;
      case 'request':
      case 'ping':
        return false;
    }
  }

  /** What became of the requests is not known. */
  broke(cause: Error): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { timer, reject } of pending) {
      clearTimeout(timer);
      reject(new Fault('peerUnreachable', 'the stream to the peer broke before its answer', { cause }));
    }
  }

  #send(frame: Uint8Array): void {
    const outcome = this.#stream()?.send(frame) ?? 'closed';
    switch (outcome) {
      case 'sent':
        return;
      case 'closed':
        throw new Fault('peerUnreachable', 'there is no stream to the peer');
      case 'full':
        throw new Fault('overloaded', 'the peer takes requests too slowly');
      case 'tooLarge':
        throw new Rejection('tooLarge', `the request is larger than ${this.#limits.rpcFrameBytes} bytes`);
    }
  }

  #settle(id: number, finish: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    // It came after its time was over.
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    this.#metrics.answered(this.#channel, performance.now() - pending.startedAt);
    finish(pending);
  }

  #timeOut(id: number, timeoutMs: number): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.reject(new Fault('timedOut', `the peer did not answer within ${timeoutMs} ms`));
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) % ID_MODULUS;
    while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }
}

/** The answering end of one inbound stream. */
export class RpcResponder {
  readonly #stream: () => FrameStream;
  readonly #handle: (body: Uint8Array) => Promise<Uint8Array>;
  readonly #onBug: (error: unknown) => void;
  readonly #limits: NetworkLimits;
  #inflight = 0;

  constructor(
    dependencies: {
      readonly stream: () => FrameStream;
      readonly handle: (body: Uint8Array) => Promise<Uint8Array>;
      /** Told of what is neither a Rejection nor a Fault. */
      readonly onBug: (error: unknown) => void;
    },
    limits: NetworkLimits,
  ) {
    this.#stream = dependencies.stream;
    this.#handle = dependencies.handle;
    this.#onBug = dependencies.onBug;
    this.#limits = limits;
  }

  /** @returns false when the frame is malformed */
  receive(frame: Uint8Array): boolean {
    const read = decodeRpcFrame(frame);
    if (read === null) return false;
    switch (read.type) {
      case 'ping':
        this.#stream().send(encodeRpcFrame('pong', read.id));
        return true;
      case 'request':
        void this.#answer(read.id, read.body);
        return true;
      case 'answer':
      case 'error':
      case 'pong':
        return false;
    }
  }

  async #answer(id: number, body: Uint8Array): Promise<void> {
    if (this.#inflight >= this.#limits.rpcInflight) {
      this.#reply(encodeRpcFrame('error', id, encodeError(new Fault('overloaded', 'the peer has too much to answer'))));
      return;
    }
    this.#inflight += 1;
    try {
      this.#reply(encodeRpcFrame('answer', id, await this.#handle(body)));
    } catch (error) {
      if (!(error instanceof Rejection || error instanceof Fault)) this.#onBug(error);
      this.#reply(encodeRpcFrame('error', id, encodeError(error)));
    } finally {
      this.#inflight -= 1;
    }
  }

  /** An asker that does not take its answers loses the stream: it would wait for them in vain. */
  #reply(frame: Uint8Array): void {
    const stream = this.#stream();
    const outcome = stream.send(frame);
    if (outcome === 'full' || outcome === 'tooLarge')
      stream.abort(new Error(`an answer could not be sent: ${outcome}`));
  }
}
