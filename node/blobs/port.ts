import type { BlobName } from '../../src/cas/digest.ts';
import type { JobTreesOptions, TreeCall, TreeResults } from '../trees/port.ts';
import type { ByteRange } from './blob-bytes.ts';
import type { Pin } from './blob-index.ts';
import type { BlobMember } from './holders.ts';
import type { NodeId } from '../../src/ids.ts';
import type { BlobLimits } from './limits.ts';
import type { PlainError } from './plain-error.ts';
import type { StreamMessage } from './thread-streams.ts';

/**
 * What the rest of the node sees of the blobs, and what goes between the main thread and the thread that the bytes are
 * read, hashed, written and sent in (`blob-thread.ts`): plain data.
 */
export interface BlobStore {
  /**
   * Takes the bytes once they are durable and have that name; otherwise nothing stays. Those of a blob that is here
   * already are checked and not written again.
   * @throws Rejection `hashMismatch`, `tooLarge`; Fault `diskFull`, `diskFailed`; and what `source` throws
   */
  put(name: BlobName, source: AsyncIterable<Uint8Array>, options?: PutRequest): Promise<PutResult>;
  /**
   * Takes a file of this machine that nobody writes to any more, without copying its bytes where it lies on the same
   * disk; the file stays. @throws as `put`; Rejection `notFound`
   */
  putFile(name: BlobName, path: string, options?: Pick<PutRequest, 'pins'>): Promise<PutResult>;
  /**
   * `end` of the range is exclusive; both are cut to the size. What is read whole is checked: its end comes only when
   * the hash is right. @throws Rejection `notFound`, `invalidRequest`; while reading Fault `corrupt`, `diskFailed`
   */
  open(name: BlobName, range?: ByteRange): Promise<Blob>;
  /** Null when it is nowhere. */
  stat(name: BlobName): Promise<{ readonly size: number } | null>;
  /** Those of them that are nowhere, in their order. */
  missing(names: readonly BlobName[]): Promise<readonly BlobName[]>;
  /** Keeps what is here from being evicted, here and at the other holders. @throws Rejection `notFound` */
  pin(name: BlobName, pins: readonly Pin[]): Promise<void>;
  /** Lets go of all that this owner pinned at this node. */
  release(owner: string): Promise<void>;
}

export interface PutRequest {
  /** As announced. */
  readonly size?: number;
  readonly pins?: readonly Pin[];
}

export interface PutResult {
  readonly size: number;
  /** It was here before. */
  readonly existed: boolean;
  /** How many nodes have it, durable: as many as are wanted, or fewer when no more could be reached. */
  readonly copies: number;
}

export interface Blob {
  /** Of the whole blob, whatever part is read. */
  readonly size: number;
  readonly stream: AsyncIterable<Uint8Array>;
}

/** Since the start of the node, but for what is there now. */
export interface BlobFigures {
  readonly blobs: number;
  readonly bytes: number;
  readonly capacityBytes: number;
  readonly evicted: number;
  readonly damaged: number;
  readonly scrubbedBytes: number;
  /** Copies made at other members for puts. */
  readonly copied: number;
  /** … to mend. */
  readonly repaired: number;
  /** Blobs that were lost here and brought back. */
  readonly mended: number;
  /** Copies that were not wanted here any more. */
  readonly surplusRemoved: number;
  /** Blobs here of which a copy is missing elsewhere, as of the last look. */
  readonly copiesMissing: number;
  /** Reads of what was not here. */
  readonly readElsewhere: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** Of a node that is to leave: blobs that are not where they should be without it. */
export interface HandOver {
  readonly left: number;
}

/** Where a node takes bytes, and which store it has. */
export interface Whereabouts {
  readonly addresses: readonly string[];
  readonly store: string;
}

/** With `put` come the bytes, in the stream of the same number; with the answer to `open` they go back. */
export type BlobCall =
  | { readonly method: 'put'; readonly name: BlobName; readonly size: number | null; readonly pins: readonly Pin[] }
  | { readonly method: 'putFile'; readonly name: BlobName; readonly path: string; readonly pins: readonly Pin[] }
  | { readonly method: 'open'; readonly name: BlobName; readonly range: ByteRange }
  | { readonly method: 'stat'; readonly name: BlobName }
  | { readonly method: 'missing'; readonly names: readonly BlobName[] }
  | { readonly method: 'pin'; readonly name: BlobName; readonly pins: readonly Pin[] }
  | { readonly method: 'release'; readonly owner: string }
  /** Who the other members are. */
  | { readonly method: 'members'; readonly members: readonly BlobMember[]; readonly selfLeaves: boolean }
  | { readonly method: 'whereabouts' }
  | { readonly method: 'handOver' }
  | TreeCall
  | { readonly method: 'figures' }
  | { readonly method: 'close' };

export interface BlobResults extends TreeResults {
  readonly put: PutResult;
  readonly putFile: PutResult;
  readonly open: { readonly size: number };
  readonly stat: { readonly size: number } | null;
  readonly missing: readonly BlobName[];
  readonly pin: null;
  readonly release: null;
  readonly members: null;
  readonly whereabouts: Whereabouts;
  readonly handOver: HandOver;
  readonly figures: BlobFigures;
  readonly close: null;
}

export type ToThread = { readonly kind: 'call'; readonly id: number; readonly call: BlobCall } | StreamMessage;

export type FromThread =
  /** Once, when the store is open or could not be opened. */
  | { readonly kind: 'opened'; readonly error: PlainError | null }
  | { readonly kind: 'answer'; readonly id: number; readonly result: BlobResults[keyof BlobResults] }
  | { readonly kind: 'failed'; readonly id: number; readonly error: PlainError }
  /** A line of the log as JSON. */
  | { readonly kind: 'log'; readonly line: string }
  | StreamMessage;

/** What the thread is started with. */
export interface BlobThreadData {
  readonly folder: string;
  readonly capacityBytes: number;
  /** Nodes that are to have each blob. */
  readonly copies: number;
  readonly trees: JobTreesOptions;
  readonly logLevel: string;
  readonly network: BulkSettings;
  /** Others than by default, for tests. */
  readonly limits?: Partial<BlobLimits>;
}

/** What the network of the blobs is made of; it listens once there are other members. */
export interface BulkSettings {
  readonly self: NodeId;
  /** The node's key, as `encodeNodeKey` makes it. */
  readonly privateKey: Uint8Array;
  readonly clusterKey: Uint8Array;
  readonly clusterId: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly advertise: readonly string[];
}
