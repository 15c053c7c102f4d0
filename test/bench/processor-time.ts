import { readFile } from 'node:fs/promises';

export interface ProcessorTime {
  /** Of all its threads, user and system. */
  readonly ownMs: number;
  /** Of the children that it has reaped. */
  readonly childrenMs: number;
}

/** Linux counts in hundredths of a second, whatever the kernel's tick is. */
const TICK_MS = 10;
/** Where `utime` stands, counted from behind the name: fields 14 to 17 of proc(5). */
const USER_TIME = 11;

/** What a process has used since it began. Linux only. */
export async function processorTimeOf(pid: number): Promise<ProcessorTime> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields
    .slice(USER_TIME, USER_TIME + 4)
    .map(Number);
  return { ownMs: (user + system) * TICK_MS, childrenMs: (childrenUser + childrenSystem) * TICK_MS };
}
