import type { Dirent } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, readdir, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { storageError } from '../storage/storage-error.ts';
import { syncFolder } from '../storage/durable-file.ts';
import type { Turnstile } from './turnstile.ts';

/** What the blob store does with files. Everything throws Fault `diskFull`, `diskFailed`. */
export interface Disk {
  /** For writing; it must not be there. */
  create(path: string): Promise<OpenFile>;
  /** For reading; null when it is not there. */
  open(path: string): Promise<OpenFile | null>;
  /** Null when it is not there. */
  size(path: string): Promise<number | null>;
  rename(from: string, to: string): Promise<void>;
  /**
   * Gives the file a second name. False where the file system cannot, as from another disk, and for one that has two:
   * it may be written through another.
   */
  link(from: string, to: string): Promise<boolean>;
  /** It may be gone already. */
  remove(path: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /** Only when it is empty. */
  removeFolder(path: string): Promise<void>;
  /** Names come, go and change for good only once their folder is synced. */
  syncFolder(path: string): Promise<void>;
  /** Nothing when the folder is not there. */
  list(path: string): Promise<readonly Dirent[]>;
  /** Bytes of the disk that holds the folder. */
  room(path: string): Promise<{ readonly free: number; readonly total: number }>;
}

export interface OpenFile {
  /** How many bytes it has. */
  readonly size: number;
  write(bytes: Uint8Array): Promise<void>;
  /** Fewer bytes than asked for at its end. */
  read(length: number, at: number): Promise<Uint8Array<ArrayBuffer>>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** @param turnstile what bounds the operations under way */
export function systemDisk(turnstile: Turnstile): Disk {
  const through = async <Result>(doing: string, work: () => Promise<Result>): Promise<Result> => {
    try {
      return await turnstile.run(work);
    } catch (error) {
      throw storageError(error, doing);
    }
  };
  const ifThere = async <Result>(doing: string, work: () => Promise<Result>): Promise<Result | null> =>
    await through(doing, async () => {
      try {
        return await work();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    });
  return {
    create: (path) =>
      through(`writing ${path}`, async () => openFile(await open(path, 'wx', FILE_MODE), { size: 0, path, through })),
    open: (path) =>
      ifThere(`reading ${path}`, async () => {
        const handle = await open(path, 'r');
        return openFile(handle, { size: (await handle.stat()).size, path, through });
      }),
    size: (path) => ifThere(`looking for ${path}`, async () => (await stat(path)).size),
    rename: (from, to) => through(`placing ${to}`, () => rename(from, to)),
    link: (from, to) =>
      through(`placing ${to}`, async () => {
        try {
          if ((await lstat(from)).nlink > 1) return false;
          await link(from, to);
          return true;
        } catch (error) {
          if (CANNOT_LINK.has((error as NodeJS.ErrnoException).code ?? '')) return false;
          throw error;
        }
      }),
    remove: (path) => through(`removing ${path}`, () => rm(path, { force: true })),
    makeFolder: (path) =>
      through(`making ${path}`, async () => {
        await mkdir(path, { recursive: true, mode: FOLDER_MODE });
      }),
    removeFolder: (path) => through(`removing ${path}`, () => rmdir(path)),
    syncFolder: (path) => through(`syncing ${path}`, () => syncFolder(path)),
    list: async (path) =>
      (await ifThere(`listing ${path}`, async () => await readdir(path, { withFileTypes: true }))) ?? [],
    room: (path) =>
      through(`looking at the disk of ${path}`, async () => {
        const { bavail, blocks, bsize } = await statfs(path);
        return { free: bavail * bsize, total: blocks * bsize };
      }),
  };
}

const CANNOT_LINK = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP']);

interface FileParts {
  readonly size: number;
  readonly path: string;
  through<Result>(doing: string, work: () => Promise<Result>): Promise<Result>;
}

function openFile(handle: FileHandle, { size, path, through }: FileParts): OpenFile {
  return {
    size,
    write: (bytes) =>
      through(`writing ${path}`, async () => {
        for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
      }),
    read: (length, at) =>
      through(`reading ${path}`, async () => {
        // Not from Node's pool: it is handed to another thread as a whole.
        const buffer = new Uint8Array(new ArrayBuffer(length));
        const { bytesRead } = await handle.read(buffer, 0, length, at);
        return bytesRead === length ? buffer : buffer.slice(0, bytesRead);
      }),
    sync: () => through(`syncing ${path}`, () => handle.datasync()),
    close: () => handle.close(),
  };
}
