import type { Logger } from 'pino';
import type { BlobName } from '../../src/cas/digest.ts';
import { Rejection } from '../../src/errors.ts';
import type { ByteRange } from './blob-bytes.ts';
import { FolderCheck } from './folder-check.ts';
import { BLOB_LIMITS } from './limits.ts';
import type { LocalStore, OpenBlob, PutOptions } from './local-store.ts';
import { openLocalStore } from './open-local-store.ts';
import type { BlobCall, BlobFigures, BlobResults, BlobThreadData, PutResult } from './port.ts';
import { Scrubber } from './scrubber.ts';

type OtherCall = Exclude<BlobCall, { readonly method: 'put' | 'open' | 'close' }>;

/** Everything of the blobs at one node, in their thread. */
export class BlobHost {
  readonly #store: LocalStore;
  readonly #capacityBytes: number;
  readonly #check: FolderCheck;
  readonly #scrubber: Scrubber;
  readonly #running: Promise<unknown>;

  /** @throws Fault `diskFull`, `diskFailed` */
  static async open(data: BlobThreadData, logger: Logger): Promise<BlobHost> {
    const store = await openLocalStore(data.folder, { capacityBytes: data.capacityBytes });
    return new BlobHost(store, data, logger);
  }

  private constructor(store: LocalStore, { capacityBytes }: BlobThreadData, logger: Logger) {
    this.#store = store;
    this.#capacityBytes = capacityBytes;
    const parts = { store, disk: store.disk, logger, now: Date.now };
    this.#check = new FolderCheck(parts, BLOB_LIMITS);
    this.#scrubber = new Scrubber(parts, BLOB_LIMITS);
    this.#running = this.#check.run().then(() => this.#scrubber.run());
  }

  async put(name: BlobName, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<PutResult> {
    return await this.#store.put(name, source, options);
  }

  async read(name: BlobName, range: ByteRange): Promise<OpenBlob> {
    return await this.#store.open(name, range);
  }

  async call(call: OtherCall): Promise<BlobResults[OtherCall['method']]> {
    switch (call.method) {
      case 'putFile':
        return await this.#store.adopt(call.name, call.path, call.pins);
      case 'stat':
        return await this.#store.stat(call.name);
      case 'missing': {
        const sizes = await this.#store.sizes(call.names);
        return call.names.filter((_, at) => sizes[at] === null);
      }
      case 'pin':
        if (await this.#store.pin(call.name, call.pins)) return null;
        throw new Rejection('notFound', 'there is no such blob here');
      case 'release':
        await this.#store.release(call.owner);
        return null;
      case 'figures':
        return this.#figures();
      default:
        return call satisfies never;
    }
  }

  async close(): Promise<void> {
    this.#check.stop();
    this.#scrubber.stop();
    await this.#running;
    await this.#store.close();
  }

  #figures(): BlobFigures {
    const { index, eviction, damaged } = this.#store;
    return {
      blobs: index.blobs,
      bytes: index.bytes,
      capacityBytes: this.#capacityBytes,
      evicted: eviction.evicted,
      damaged,
      scrubbedBytes: this.#scrubber.scrubbedBytes,
    };
  }
}
