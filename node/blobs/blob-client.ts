import { Worker } from 'node:worker_threads';
import type { Logger } from 'pino';
import type { BlobName } from '../../src/cas/digest.ts';
import { Fault } from '../../src/errors.ts';
import type { Outputs } from '../../src/jobs/job.ts';
import type { JobTrees, OutputPlaces, TreePart } from '../trees/port.ts';
import type { ByteRange } from './blob-bytes.ts';
import type { BlobMember } from './holders.ts';
import { fromPlain } from './plain-error.ts';
import type {
  Blob,
  BlobCall,
  BlobFigures,
  BlobResults,
  BlobStore,
  BlobThreadData,
  FromThread,
  HandOver,
  PutRequest,
  PutResult,
  ToThread,
  Whereabouts,
} from './port.ts';
import type { Pin } from './blob-index.ts';
import { gathered, ThreadStreams } from './thread-streams.ts';

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

const WHOLE: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER };

/** The blobs as the main thread sees them: starts their thread and passes on what is asked of it. */
export class BlobClient implements BlobStore, JobTrees {
  readonly #worker: Worker;
  readonly #logger: Logger;
  readonly #streams: ThreadStreams;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #next = 1;
  #gone: Error | null = null;

  /**
   * @param onFatal the thread ended by itself, which is a bug
   * @throws Fault `diskFull`, `diskFailed`, `corrupt` when the store cannot be opened
   */
  static async start(
    { logger, onFatal }: { readonly logger: Logger; readonly onFatal: (error: Error) => void },
    data: Omit<BlobThreadData, 'logLevel'>,
  ): Promise<BlobClient> {
    const opened = Promise.withResolvers<void>();
    const child = logger.child({ part: 'blobs' });
    const workerData: BlobThreadData = { ...data, logLevel: child.level };
    const worker = new Worker(new URL('./blob-thread.ts', import.meta.url), { workerData, name: 'blobs' });
    const client = new BlobClient(worker, child, opened);
    await opened.promise.catch(async (error: unknown) => {
      await worker.terminate();
      throw error;
    });
    void client.#exited.then(() => {
      if (client.#gone === null) client.#fail(new Fault('stopping', 'the thread of the blobs ended'));
      else onFatal(client.#gone);
    });
    return client;
  }

  private constructor(worker: Worker, logger: Logger, opened: PromiseWithResolvers<void>) {
    this.#worker = worker;
    this.#logger = logger;
    this.#streams = new ThreadStreams((message, transfer) => this.#post(message, transfer));
    const exited = Promise.withResolvers<void>();
    this.#exited = exited.promise;
    worker.on('message', (message: FromThread) => this.#receive(message, opened));
    worker.on('error', (error) => {
      const cause = error instanceof Error ? error : new Error(String(error));
      this.#fail(cause);
      opened.reject(cause);
    });
    worker.on('exit', () => exited.resolve());
  }

  async put(name: BlobName, source: AsyncIterable<Uint8Array>, request: PutRequest = {}): Promise<PutResult> {
    const { id, answer } = this.#ask({ method: 'put', name, size: request.size ?? null, pins: request.pins ?? [] });
    let failure: unknown = null;
    void this.#streams.send(id, gathered(source)).then((thrown) => (failure = thrown));
    try {
      return await answer;
    } catch (error) {
      // What the source threw is told as it was, not as it came back.
      throw failure ?? error;
    } finally {
      // It may have failed with the source half read, which is left then; not waited for, since nothing may come any more.
      this.#streams.onMessage({ kind: 'leave', stream: id });
    }
  }

  async putFile(name: BlobName, path: string, { pins = [] }: Pick<PutRequest, 'pins'> = {}): Promise<PutResult> {
    return await this.#ask({ method: 'putFile', name, path, pins }).answer;
  }

  async open(name: BlobName, range: ByteRange = WHOLE): Promise<Blob> {
    const { id, answer } = this.#ask({ method: 'open', name, range });
    const stream = this.#streams.receive(id);
    try {
      return { size: (await answer).size, stream };
    } catch (error) {
      this.#streams.forget(id);
      throw error;
    }
  }

  async stat(name: BlobName): Promise<{ readonly size: number } | null> {
    return await this.#ask({ method: 'stat', name }).answer;
  }

  async missing(names: readonly BlobName[]): Promise<readonly BlobName[]> {
    return await this.#ask({ method: 'missing', names }).answer;
  }

  async pin(name: BlobName, pins: readonly Pin[]): Promise<void> {
    await this.#ask({ method: 'pin', name, pins }).answer;
  }

  async release(owner: string): Promise<void> {
    await this.#ask({ method: 'release', owner }).answer;
  }

  /** @param members all but this node */
  async setMembers(members: readonly BlobMember[], selfLeaves: boolean): Promise<void> {
    await this.#ask({ method: 'members', members, selfLeaves }).answer;
  }

  /** Where this node takes bytes; it then listens there. */
  async whereabouts(): Promise<Whereabouts> {
    return await this.#ask({ method: 'whereabouts' }).answer;
  }

  /** Gives what is here to those that should have it once this node has left, for a while; tells what is left. */
  async handOver(): Promise<HandOver> {
    return await this.#ask({ method: 'handOver' }).answer;
  }

  async materialise(parts: readonly TreePart[], folder: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { id, answer } = this.#ask({ method: 'materialise', parts, folder });
    const abandon = (): void => void this.#ask({ method: 'abandon', call: id }).answer.catch(() => undefined);
    signal.addEventListener('abort', abandon);
    try {
      await answer;
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  }

  async keep(places: OutputPlaces): Promise<Outputs | null> {
    return await this.#ask({ method: 'keep', places }).answer;
  }

  async figures(): Promise<BlobFigures> {
    return await this.#ask({ method: 'figures' }).answer;
  }

  async close(): Promise<void> {
    if (this.#gone === null) await this.#ask({ method: 'close' }).answer;
    // A stream that nobody reads to its end must not hold it.
    await this.#worker.terminate();
    await this.#exited;
  }

  #ask<Call extends BlobCall>(
    call: Call,
  ): { readonly id: number; readonly answer: Promise<BlobResults[Call['method']]> } {
    const id = this.#next;
    this.#next += 1;
    const answer = new Promise<BlobResults[Call['method']]>((resolve, reject) => {
      if (this.#gone !== null) reject(this.#gone);
      else this.#waiting.set(id, { resolve, reject });
    });
    this.#post({ kind: 'call', id, call }, []);
    return { id, answer };
  }

  #post(message: ToThread, transfer: ArrayBuffer[]): void {
    if (this.#gone === null) this.#worker.postMessage(message, transfer);
  }

  #receive(message: FromThread, opened: PromiseWithResolvers<void>): void {
    switch (message.kind) {
      case 'opened':
        if (message.error === null) opened.resolve();
        else opened.reject(fromPlain(message.error));
        return;
      case 'answer':
        this.#settle(message.id)?.resolve(message.result as never);
        return;
      case 'failed':
        this.#settle(message.id)?.reject(fromPlain(message.error));
        return;
      case 'log':
        this.#log(message.line);
        return;
      default:
        this.#streams.onMessage(message);
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  /** Everything that is asked from now on is refused. */
  #fail(error: Error): void {
    this.#gone ??= error;
    this.#streams.fail(this.#gone);
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }

  #log(line: string): void {
    const { level, time: _time, msg = '', ...fields } = JSON.parse(line) as Record<string, unknown>;
    const method = LOG_METHODS.get(Number(level)) ?? 'info';
    this.#logger[method](fields, String(msg));
  }
}

const LOG_METHODS = new Map<number, 'trace' | 'debug' | 'info' | 'warn' | 'error'>([
  [10, 'trace'],
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
]);
