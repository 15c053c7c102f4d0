import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

const NEWLINE = 0x0a;

/** Lines of a file, for a progress bar; null for what can be read only once, as a pipe. */
export async function countLines(file: string): Promise<number | null> {
  if (!(await stat(file)).isFile()) return null;
  let lines = 0;
  let last = NEWLINE;
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    const bytes = chunk as Buffer;
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
    last = bytes.at(-1) ?? last;
  }
  return last === NEWLINE ? lines : lines + 1;
}
