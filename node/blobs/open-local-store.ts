import { createFolder } from '../storage/create-folder.ts';
import { storageError } from '../storage/storage-error.ts';
import { BlobIndex } from './blob-index.ts';
import { type BlobLayout, blobLayout } from './blob-layout.ts';
import { type Disk, systemDisk } from './disk.ts';
import { BLOB_LIMITS, type BlobLimits } from './limits.ts';
import { LocalStore } from './local-store.ts';
import { Turnstile } from './turnstile.ts';

export interface OpenStoreOptions {
  readonly capacityBytes: number;
  readonly limits?: Partial<BlobLimits>;
  /** Milliseconds of the epoch; the system's clock when left out. */
  readonly now?: () => number;
  /** Another one for tests. */
  readonly disk?: Disk;
}

/**
 * Opens the blobs of a folder of their own, or makes it, and removes what was half written. What the folders hold is
 * checked later: `FolderCheck`. @throws Fault `diskFull`, `diskFailed`
 */
export async function openLocalStore(folder: string, options: OpenStoreOptions): Promise<LocalStore> {
  const limits = { ...BLOB_LIMITS, ...options.limits };
  const disk = options.disk ?? systemDisk(new Turnstile(limits.diskOperations));
  const layout = blobLayout(folder);
  try {
    await createFolder(folder, 0o700);
    await makeFolders(disk, layout);
    const index = await BlobIndex.open(layout.index);
    const now = options.now ?? Date.now;
    return new LocalStore({ layout, disk, index, now }, { capacityBytes: options.capacityBytes, limits });
  } catch (error) {
    throw storageError(error, `opening the blobs in ${folder}`);
  }
}

async function makeFolders(disk: Disk, layout: BlobLayout): Promise<void> {
  for (const path of [layout.incoming, layout.damaged]) await disk.makeFolder(path);
  for (const { name } of await disk.list(layout.incoming)) await disk.remove(`${layout.incoming}/${name}`);
  await disk.syncFolder(layout.folder);
}
