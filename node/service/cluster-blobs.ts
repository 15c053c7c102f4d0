import type { BlobName } from '../../src/cas/digest.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import { decodeBlobHead, encodeOpen } from '../open-messages.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { ByteRange } from '../blobs/blob-bytes.ts';
import type { Blob, BlobStore, PutRequest, PutResult } from '../blobs/port.ts';

type LocalBlobs = Pick<BlobStore, 'put' | 'open' | 'stat'>;

const NOTHING: ByteRange = { start: 0, end: 0 };
const WHOLE: ByteRange = { start: 0, end: Number.MAX_SAFE_INTEGER };

/** The blobs of the whole cluster: what is not here is asked of the members that are connected, one after another. */
export class ClusterBlobs implements LocalBlobs {
  readonly #local: LocalBlobs;
  readonly #network: Pick<PeerNetwork, 'connected' | 'open'>;

  constructor(local: LocalBlobs, network: Pick<PeerNetwork, 'connected' | 'open'>) {
    this.#local = local;
    this.#network = network;
  }

  put(name: BlobName, source: AsyncIterable<Uint8Array>, request?: PutRequest): Promise<PutResult> {
    return this.#local.put(name, source, request);
  }

  async open(name: BlobName, range: ByteRange = WHOLE): Promise<Blob> {
    if ((await this.#local.stat(name)) !== null) return this.#local.open(name, range);
    const found = await this.#findAtMembers(name.hash, range);
    if (found === null)
      throw new Rejection('notFound', `there is no blob ${name.hash} at any member that can be reached`);
    return found;
  }

  async stat(name: BlobName): Promise<{ readonly size: number } | null> {
    const here = await this.#local.stat(name);
    if (here !== null) return here;
    const found = await this.#findAtMembers(name.hash, NOTHING);
    if (found === null) return null;
    await readToEnd(found.stream);
    return { size: found.size };
  }

  async #findAtMembers(hash: string, range: ByteRange): Promise<Blob | null> {
    for (const peer of this.#network.connected()) {
      const found = await this.#openAt(peer, hash, range);
      if (found !== null) return found;
    }
    return null;
  }

  /** Null when that member does not have it, or is not there after all. */
  async #openAt(peer: NodeId, hash: string, { start, end }: ByteRange): Promise<Blob | null> {
    const leave = new AbortController();
    const chunks = this.#network.open(peer, encodeOpen({ kind: 'blob', hash, start, end }), leave.signal);
    const iterator = chunks[Symbol.asyncIterator]();
    try {
      const head = await iterator.next();
      if (head.done === true) return null;
      const { size } = decodeBlobHead(head.value);
      return { size, stream: restOf(iterator, leave) };
    } catch (error) {
      if (error instanceof Fault || (error instanceof Rejection && error.code === 'notFound')) return null;
      throw error;
    }
  }
}

/** Lets go of the stream. */
async function readToEnd(stream: AsyncIterable<Uint8Array>): Promise<void> {
  const iterator = stream[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}

/** Whoever stops reading early lets go of the stream. */
async function* restOf(iterator: AsyncIterator<Uint8Array>, leave: AbortController): AsyncGenerator<Uint8Array, void> {
  try {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  } finally {
    leave.abort();
  }
}
