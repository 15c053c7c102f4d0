import { closeSync, openSync, readSync } from 'node:fs';
import { PR_SET_CHILD_SUBREAPER } from './libc.ts';
import type { Libc } from './libc.ts';

/** What becomes of processes whose parent, a child of this process, has ended. */
export interface Orphans {
  /** They are children of this process, which has to reap them. */
  readonly areAdopted: boolean;
  /** Whether there may be any. */
  left(): 'nothing' | 'maybe';
  close(): void;
}

export function leaveOrphans(): Orphans {
  return { areAdopted: false, left: () => 'maybe', close() {} };
}

/** Linux tells them in parts of less than a page each; only the first part is read. */
const PAGE_BYTES = 4096;
/**
 * So many started children fill no part, even if each number has seven digits: whatever makes the list longer than one
 * part shows in the first. A machine with more has other cares than the price of a folder.
 */
const STARTED_MAX = 500;

/**
 * Linux gives them to the nearest ancestor that asked for it, at the end of their parent and before that end is told.
 * So whoever is left of children that have ended is a child that nobody started here.
 */
export function adoptOrphans(libc: Pick<Libc, 'prctl'>, started: ReadonlyMap<number, unknown>): Orphans {
  const fd = openChildren();
  if (libc.prctl(PR_SET_CHILD_SUBREAPER, 1n) !== 0) {
    if (fd !== null) closeSync(fd);
    return leaveOrphans();
  }
  const buffer = Buffer.alloc(PAGE_BYTES);
  return {
    areAdopted: true,
    left() {
      if (fd === null || started.size > STARTED_MAX) return 'maybe';
      const length = readSync(fd, buffer, 0, buffer.length, 0);
      if (length === buffer.length) return 'maybe';
      const pids = buffer.toString('latin1', 0, length).split(' ');
      return pids.every((pid) => pid === '' || started.has(Number(pid))) ? 'nothing' : 'maybe';
    },
    close() {
      libc.prctl(PR_SET_CHILD_SUBREAPER, 0n);
      if (fd !== null) closeSync(fd);
    },
  };
}

/** Null where the kernel does not list them. Children of the process hang on the thread that this runs in, its first. */
function openChildren(): number | null {
  try {
    return openSync(`/proc/self/task/${process.pid}/children`, 'r');
  } catch {
    return null;
  }
}
