import type { BlobName, Digest } from '../../src/cas/digest.ts';
import type { Outputs } from '../../src/jobs/job.ts';

/** A tree, and below which folder it lies; empty: the root. */
export interface TreePart {
  readonly root: BlobName;
  readonly at: string;
}

/** Where a job left what is to be kept of it. */
export interface OutputPlaces {
  /** Its work folder, of which `patterns` say what is kept. */
  readonly work: string;
  /** The folder that it was told as QUORATE_OUTPUTS: everything in it is kept. */
  readonly outputs: string;
  /** Paths below the work folder, each with all that is in it, or patterns as `reports/*.xml`. */
  readonly patterns: readonly string[];
}

/** The files of jobs, between the blobs and the folders that they work in. Done in the thread of the blobs. */
export interface JobTrees {
  /**
   * Makes a folder, where there is none, that holds these trees; nothing is left when it fails or the signal ends it.
   * @throws Rejection `notFound` for a blob that is nowhere, `invalidTree`, `tooLarge`; Fault
   */
  materialise(parts: readonly TreePart[], folder: string, signal: AbortSignal): Promise<void>;
  /**
   * Keeps what a job left as blobs. @returns null: it left nothing
   * @throws Rejection `invalidTree`, `tooLarge`; Fault `diskFull`, `diskFailed`
   */
  keep(places: OutputPlaces): Promise<Outputs | null>;
}

/** What the files of jobs are made of: the blobs of the cluster, as they are seen in their thread. */
export interface TreeBlobs {
  /** @throws Rejection `notFound` when it is nowhere; while reading Fault */
  open(name: BlobName): Promise<{ readonly size: number; readonly stream: AsyncIterable<Uint8Array> }>;
  put(digest: Digest, bytes: Uint8Array): Promise<unknown>;
  /** Of a file that nobody writes to any more. */
  putFile(digest: Digest, path: string): Promise<unknown>;
}

export interface JobTreesOptions {
  /** Where files of inputs are kept between jobs, on the disk of the jobs' folders. */
  readonly filesFolder: string;
  /** What they may take together. */
  readonly filesBytes: number;
}

/** The same asked from another thread: `abandon` ends the `materialise` of that number. */
export type TreeCall =
  | { readonly method: 'materialise'; readonly parts: readonly TreePart[]; readonly folder: string }
  | { readonly method: 'abandon'; readonly call: number }
  | { readonly method: 'keep'; readonly places: OutputPlaces };

export interface TreeResults {
  readonly materialise: null;
  readonly abandon: null;
  readonly keep: Outputs | null;
}
