import { LIMITS } from '../../src/limits.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Limits of the blob store and its copies that no user meets by name; tests take other values for some. */
export const BLOB_LIMITS = {
  /** Bytes of one blob; the only one here that users meet. */
  blobBytes: LIMITS.blobBytes,
  /** Bytes that are read, hashed and handed on at a time. */
  chunkBytes: 256 * KIB,
  /** A blob that is written is synced each so many bytes: what consensus syncs must not wait behind a gigabyte. */
  syncEveryBytes: 8 * MIB,
  /**
   * Operations on the disk under way at a time. They run on the threads that consensus syncs its log on, of which there
   * are four in the process.
   */
  diskOperations: 2,
  /** Room is asked for in steps while a blob whose size nobody told is written. */
  spaceStepBytes: 8 * MIB,
  /** Of the disk, this part stays free, but no more than so many bytes: a log that cannot be written ends the node. */
  reservedPart: 0.05,
  reservedBytes: 512 * MIB,
  /** When there is no room, this part of the space is freed at once. */
  evictedPart: 1 / 64,
  /** Blobs that are looked at together when room is made. */
  evictionBatch: 256,
  /** Where nothing could be evicted, it is not tried again for so long. */
  evictionPauseMs: 1000,
  /** A use of a blob is noted when the one noted before is so long ago. */
  touchEveryMs: 60_000,
  /** Who puts a blob that another is putting waits so long for that other to end. */
  sharedPutMs: 5000,
  /** Files whose bytes had gone bad that are kept for whoever wants to look at them. */
  damagedFiles: 16,
  /** Files that the check of the folders looks at before it lets others work. */
  checkedFiles: 256,

  scrubBytesPerSecond: 8 * MIB,
  /** A new round through all blobs begins so long after the one before began, at the earliest. */
  scrubEveryMs: 24 * 60 * 60 * 1000,
  scrubPauseMs: 60_000,

  /** A member that is away for so long holds nothing any more, and what it held is copied elsewhere. */
  goneAfterMs: 20_000,
  /** So long a node that is to leave hands over before it tells how much is left; it goes on then. */
  handOverMs: 15_000,
  /** A node that was told to hand over does not count as a holder for so long, if it does not leave after all. */
  leavingMs: 10 * 60_000,
  /** A member that sends nothing for so long while it is waited for is given up. */
  stallMs: 10_000,
  /** While it takes a copy, a member tells that it is alive this often. */
  progressMs: 1000,
  /** That a blob is at no member is believed for so long. */
  missMs: 2000,
  misses: 10_000,
  /** What a member was told to be here stays for so long: it may remove its own copy. */
  keepMs: 15 * 60_000,

  /** Copies that are made to mend, at a time, and how fast. */
  repairsAtOnce: 2,
  repairBytesPerSecond: 32 * MIB,
  /** So long a repair waits for those who put and read to be done. */
  repairPatienceMs: 2000,
  /** Blobs whose holders are asked together. */
  reviewBatch: 512,
  reviewEveryMs: 10 * 60_000,
  /** After a change of the members it waits for more of them. */
  reviewDelayMs: 500,
  retryMs: 5000,
  /** Blobs that are looked at before the others, since something of them is known to be amiss. */
  noted: 10_000,
  /** A copy that nobody wants here goes when it was not used for so long. */
  surplusAfterMs: 10 * 60_000,
} as const;

export type BlobLimits = { readonly [Name in keyof typeof BLOB_LIMITS]: number };
