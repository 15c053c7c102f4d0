import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that no later one with the same number can be taken for. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; from the kernel. */
  readonly startTime: string;
}

export interface ProcessStat {
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly startTime: string;
}

export function identifyProcess(pid: number): ProcessIdentity | null {
  const startTime = process.platform === 'linux' ? (readProcessStat(pid)?.startTime ?? null) : startTimeFromPs(pid);
  return startTime === null ? null : { pid, startTime };
}

/** A zombie counts as gone: it does nothing any more, whether or not its parent has noticed. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (process.platform !== 'linux') return startTimeFromPs(identity.pid) === identity.startTime;
  const stat = readProcessStat(identity.pid);
  return stat !== null && stat.startTime === identity.startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** From /proc/PID/stat, fields 3 to 6 and 22 of proc(5). */
export function readProcessStat(pid: number): ProcessStat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    state: fields[0] ?? '',
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTime: fields[19] ?? '',
  };
}

function startTimeFromPs(pid: number): string | null {
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', env: { LC_ALL: 'C' } });
  return stdout?.trim() || null;
}
