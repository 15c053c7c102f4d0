import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run, tryToRun } from './commands.ts';
import { ownName } from './owner.ts';

/** Holds the image of a disk whose blocks cannot all be written. */
const BACKING = 'backing';

/** A small disk in memory as a node's data folder. @param path of the data folder, not made yet */
export function mountSmallDisk(path: string, megabytes: number): void {
  mkdirSync(path, { recursive: true });
  run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, ownName(), path);
}

/**
 * An ext4 as a node's data folder that has less behind it than it believes: once the `megabytes` there are used up, its
 * writes fail with EIO, as those of a broken disk do.
 * @returns the folder of its image, where a large file makes the disk fail at once
 */
export function mountFailingDisk(path: string, megabytes: number): string {
  const backing = join(dirname(path), BACKING);
  mountSmallDisk(backing, megabytes);
  const image = join(backing, 'image');
  run('truncate', '-s', '1G', image);
  run('mkfs.ext4', '-q', '-E', 'lazy_itable_init=1,nodiscard', '-O', '^has_journal', image);
  mkdirSync(path, { recursive: true });
  run('mount', '-o', 'loop', image, path);
  run('chmod', '0700', path);
  return backing;
}

/** Leaves no room in a folder. @returns the file that takes it */
export function fillDisk(folder: string): string {
  const path = join(folder, 'filler');
  const file = openSync(path, 'a');
  try {
    for (let size = 1024 * 1024; size > 0; size = Math.floor(size / 2)) writeWhileThereIsRoom(file, Buffer.alloc(size));
  } finally {
    closeSync(file);
  }
  return path;
}

function writeWhileThereIsRoom(file: number, chunk: Buffer): void {
  for (;;) {
    try {
      writeSync(file, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return;
      throw error;
    }
  }
}

export function lacksFailingDisk(): string | null {
  const folder = join(tmpdir(), `${ownName()}-probe`);
  const path = join(folder, 'data');
  try {
    mountFailingDisk(path, 8);
    return null;
  } catch (error) {
    return `no failing disk: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    removeDisk(path);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** With what is mounted beside it for the same node. */
export function removeDisk(path: string): void {
  const folder = dirname(path);
  for (const mount of readMounts().toReversed()) {
    if (dirname(mount.path) === folder) tryToRun('umount', '--lazy', mount.path);
  }
}

export interface Disk {
  readonly owner: string;
  readonly path: string;
}

/** Those in memory, named after the process that made them. */
export function listDisks(): readonly Disk[] {
  return readMounts()
    .filter(({ type }) => type === 'tmpfs')
    .map(({ source, path }) => ({ owner: source, path }));
}

function readMounts() {
  return readFileSync('/proc/mounts', 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [source = '', path = '', type = ''] = line.split(' ');
      return { source, path, type };
    });
}
