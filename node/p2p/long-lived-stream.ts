import { Backoff } from './backoff.ts';
import { asError, type FrameStream } from './frame-stream.ts';
import type { NetworkLimits } from './limits.ts';

export interface LongLivedStreamDependencies {
  /** Opens a stream; `onClose` must be called once when it has ended. */
  readonly open: (onClose: (error: Error | null) => void, signal: AbortSignal) => Promise<FrameStream>;
  readonly onOpen: (stream: FrameStream) => void;
  /** The stream broke; another one is being opened. */
  readonly onBreak: (error: Error) => void;
  /** It broke too often in a row: the connection under it is no good. */
  readonly onGiveUp: (error: Error) => void;
  readonly random: () => number;
}

/** One outbound stream on one connection, reopened with jitter as long as the connection is there. */
export class LongLivedStream {
  readonly #dependencies: LongLivedStreamDependencies;
  readonly #limits: NetworkLimits;
  readonly #backoff: Backoff;
  readonly #stopped = new AbortController();
  #current: FrameStream | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(dependencies: LongLivedStreamDependencies, limits: NetworkLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
    this.#backoff = new Backoff(dependencies.random, { minMs: limits.reopenMinMs, maxMs: limits.reopenMaxMs });
  }

  get current(): FrameStream | null {
    return this.#current;
  }

  start(): void {
    void this.#open();
  }

  /** The stream is known to work: the next break starts with short delays again. */
  proved(): void {
    this.#backoff.reset();
  }

  stop(reason: Error): void {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort(reason);
    if (this.#timer !== null) clearTimeout(this.#timer);
    const current = this.#current;
    this.#current = null;
    if (current !== null) {
      this.#dependencies.onBreak(reason);
      current.abort(reason);
    }
  }

  async #open(): Promise<void> {
    this.#timer = null;
    let ended: { readonly error: Error | null } | null = null;
    const onClose = (error: Error | null): void => {
      ended = { error };
      if (this.#current !== null) this.#broke(error);
    };
    try {
      const timeout = AbortSignal.timeout(this.#limits.streamOpenTimeoutMs);
      const stream = await this.#dependencies.open(onClose, AbortSignal.any([this.#stopped.signal, timeout]));
      if (this.#stopped.signal.aborted) return stream.abort(asError(this.#stopped.signal.reason));
      if (ended !== null) return this.#again((ended as { readonly error: Error | null }).error);
      this.#current = stream;
      this.#dependencies.onOpen(stream);
    } catch (error) {
      this.#again(asError(error));
    }
  }

  #broke(error: Error | null): void {
    this.#current = null;
    this.#dependencies.onBreak(error ?? new Error('the peer closed the stream'));
    this.#again(error);
  }

  #again(error: Error | null): void {
    if (this.#stopped.signal.aborted) return;
    const delayMs = this.#backoff.nextDelayMs();
    if (this.#backoff.failures > this.#limits.reopenTries) {
      this.#dependencies.onGiveUp(error ?? new Error('the peer closes every stream'));
      return;
    }
    this.#timer = setTimeout(() => void this.#open(), delayMs);
  }
}
