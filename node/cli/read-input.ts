import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { isUtf8 } from 'node:buffer';
import { Rejection } from '../../src/errors.ts';
import { LIMITS, type LimitName } from '../../src/limits.ts';

/** The bytes of a file, or of standard input for `-`. @throws the system's error when the file cannot be opened */
export async function openInput(file: string, stdin: Readable): Promise<Readable> {
  if (file === '-') return stdin;
  // Opened first, so that a missing file is told before anything is sent.
  const handle = await open(file);
  if ((await handle.stat()).isDirectory()) {
    await handle.close();
    throw Object.assign(new Error('is a folder'), { code: 'EISDIR', path: file });
  }
  return createReadStream(file, { fd: handle, highWaterMark: 256 * 1024 });
}

/** The whole of it as text. @throws Rejection `tooLarge`, or `invalidRequest` when it is not UTF-8 */
export async function readText(file: string, stdin: Readable, limit: LimitName): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of await openInput(file, stdin)) {
    const piece = chunk as Buffer;
    bytes += piece.length;
    if (bytes > LIMITS[limit]) {
      const details = { limit: { name: limit, value: LIMITS[limit] } };
      throw new Rejection('tooLarge', `${nameOf(file)} is larger than ${LIMITS[limit]} bytes`, details);
    }
    chunks.push(piece);
  }
  const whole = Buffer.concat(chunks);
  if (!isUtf8(whole)) throw new Rejection('invalidRequest', `${nameOf(file)} is not UTF-8 text`);
  return whole.toString('utf8');
}

export function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
}
