import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { makeTempFolder } from '../support/temp-folder.ts';
import { median } from './statistics.ts';

export async function describeMachine(): Promise<string> {
  const processors = cpus();
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return (
    `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}, ${memoryGiB} GiB, ${type()} ${release()}, ` +
    `Node ${process.versions.node}, one fsync of 4 KiB ${(await fsyncMs()).toFixed(2)} ms`
  );
}

/** The median of appending 4 KiB and waiting for the disk, where the clusters keep their data. */
async function fsyncMs(): Promise<number> {
  const folder = await makeTempFolder('fsync');
  const file = openSync(join(folder.path, 'file'), 'a');
  const block = Buffer.alloc(4096, 1);
  const times = Array.from({ length: 100 }, () => {
    const began = performance.now();
    writeSync(file, block);
    fsyncSync(file);
    return performance.now() - began;
  });
  closeSync(file);
  await folder.remove();
  return median(times);
}
