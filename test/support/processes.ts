import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !isZombie(pid);
}

/** A process that has ended and that nobody has waited for yet still takes signals. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    return;
  }
}

/** Every process that works in `folder` or was started with it as an argument or in its environment. Linux only. */
export function processesOf(folder: string): readonly number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (Number.isInteger(pid) && pid !== process.pid && belongsTo(pid, folder)) found.push(pid);
  }
  return found;
}

function belongsTo(pid: number, folder: string): boolean {
  try {
    const within = (path: string) => path === folder || path.startsWith(`${folder}/`);
    if (within(readlinkSync(`/proc/${pid}/cwd`))) return true;
    const words = [...readWords(`/proc/${pid}/cmdline`), ...readWords(`/proc/${pid}/environ`)];
    return words.some((word) => within(word.slice(word.indexOf('=') + 1)));
  } catch {
    return false;
  }
}

function readWords(path: string): readonly string[] {
  return readFileSync(path, 'utf8').split('\0');
}

/** Kills what is left of `folder` until nothing is: a process may start another while it is being killed. */
export function killAllOf(folder: string): void {
  for (let round = 0; round < 20; round += 1) {
    const left = processesOf(folder).filter(isAlive);
    if (left.length === 0) return;
    for (const pid of left) kill(pid);
  }
}
