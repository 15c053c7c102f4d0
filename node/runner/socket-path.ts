import { mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** sun_path holds 108 bytes on Linux and 104 on macOS, with the NUL. */
const SOCKET_PATH_BYTES_MAX = 103;
const FOLDER_PREFIX = 'quorate-';
const FOLDER_BYTES = FOLDER_PREFIX.length + '/XXXXXX/runner.sock'.length;

/** Inside of the folder, or in a new private one where that would be too long a path. */
export function chooseSocketPath(folder: string): string {
  const inside = join(folder, 'runner.sock');
  if (Buffer.byteLength(inside) <= SOCKET_PATH_BYTES_MAX) return inside;
  const base = Buffer.byteLength(tmpdir()) + FOLDER_BYTES <= SOCKET_PATH_BYTES_MAX ? tmpdir() : '/tmp';
  return join(mkdtempSync(join(base, FOLDER_PREFIX)), 'runner.sock');
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
