import { readFileSync } from 'node:fs';

const PREFIX = 'quorate';
const NAME = /^quorate-(\d+)-(\d+)(?:-|$)/;

/** Begins the name of everything that this process makes outside of itself, so that a later one knows whose it was. */
export function ownName(): string {
  return `${PREFIX}-${process.pid}-${startOf(process.pid) ?? 0}`;
}

/** Whether a process of these tests made what has this name, and is gone. */
export function isLeftover(name: string): boolean {
  const [, pid, start] = NAME.exec(name) ?? [];
  return pid !== undefined && startOf(Number(pid)) !== start;
}

/** In clock ticks since boot; a process id may be used again. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
