import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { identifyProcess } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** sun_path holds 108 bytes on Linux and 104 on macOS, with the NUL. */
const SOCKET_PATH_BYTES_MAX = 103;
const FOLDER_PREFIX = 'quorate-';
const SOCKET_NAME = 'runner.sock';
const SYSTEM_TEMPORARY = '/tmp';
/** Names its process, so that a later one can tell that it is dead; the last part is of mkdtemp. */
const PRIVATE_FOLDER = /^quorate-([0-9]{1,10})-([0-9a-f]{8})-[0-9A-Za-z]{6}$/;
const ANSWER_MS = 1_000;

/** Inside of the folder, or in a new private one where that would be too long a path. */
export function chooseSocketPath(folder: string, own: ProcessIdentity): string {
  const inside = join(folder, SOCKET_NAME);
  if (Buffer.byteLength(inside) <= SOCKET_PATH_BYTES_MAX) return inside;
  const prefix = `${FOLDER_PREFIX}${own.pid}-${markOf(own)}-`;
  const longest = join(tmpdir(), `${prefix}XXXXXX`, SOCKET_NAME);
  const base = Buffer.byteLength(longest) <= SOCKET_PATH_BYTES_MAX ? tmpdir() : SYSTEM_TEMPORARY;
  return join(mkdtempSync(join(base, prefix)), SOCKET_NAME);
}

export function removeSocket(path: string): void {
  rmSync(path, { force: true });
  const folder = dirname(path);
  if (!basename(folder).startsWith(FOLDER_PREFIX)) return;
  try {
    rmdirSync(folder);
  } catch {
    return;
  }
}

/**
 * Removes private folders that runner processes left when they were killed. One is surely dead when no process has its
 * number and start, and when nobody answers at its socket: a process in another container may share the folder of
 * temporary files and not the numbers.
 */
export async function removeDeadSockets(): Promise<void> {
  for (const base of new Set([tmpdir(), SYSTEM_TEMPORARY])) {
    for (const name of namesIn(base)) {
      const folder = join(base, name);
      if (!isOfDeadProcess(name) || !isOurs(folder)) continue;
      const socket = join(folder, SOCKET_NAME);
      if (!(await answers(socket))) removeSocket(socket);
    }
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isOfDeadProcess(name: string): boolean {
  const parts = PRIVATE_FOLDER.exec(name);
  if (parts === null) return false;
  const now = identifyProcess(Number(parts[1]));
  return now === null || markOf(now) !== parts[2];
}

function isOurs(folder: string): boolean {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  return stats !== undefined && stats.isDirectory() && stats.uid === process.getuid?.();
}

/** False only when the system says that nobody listens. */
function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const settle = (result: boolean) => {
      connection.destroy();
      resolve(result);
    };
    connection.setTimeout(ANSWER_MS, () => settle(true));
    connection.once('connect', () => settle(true));
    connection.once('error', ({ code }: NodeJS.ErrnoException) => settle(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}

/** The start of a process is text of any form on some systems. */
function markOf({ startTime }: ProcessIdentity): string {
  return createHash('sha256').update(startTime).digest('hex').slice(0, 8);
}
