import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Rejection } from '../../src/errors.ts';
import { type BackupHead, readBackup } from '../storage/backup-codec.ts';
import { readDump } from '../storage/dump-codec.ts';
import { syncFolder } from '../storage/durable-file.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatSize, formatCount } from './format.ts';
import type { ConnectionOptions } from './options.ts';

interface Written {
  readonly head: BackupHead;
  readonly records: number;
  readonly bytes: number;
}

/** The file is there as a whole, checked and synced, or not at all. */
export async function backup(
  context: CommandContext,
  [name]: readonly [file: string],
  options: ConnectionOptions,
): Promise<number> {
  const file = resolve(name);
  await expectAbsent(file);
  const part = `${file}.${process.pid}.part`;
  try {
    const chunks = await connect(context, options).cluster.backup();
    const written = await write(chunks, part);
    await expectAbsent(file);
    await rename(part, file);
    await syncFolder(dirname(file));
    await tell(context, options, file, written);
    return EXIT.done;
  } finally {
    await rm(part, { force: true });
  }
}

async function expectAbsent(file: string): Promise<void> {
  const found = await stat(file).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  if (found !== null) throw new Rejection('conflict', `${file} is there already: choose another name`);
}

/** Reads the backup as it is written, which checks its framing, its counts and its checksums. */
async function write(chunks: AsyncIterable<Uint8Array>, part: string): Promise<Written> {
  const file = await open(part, 'wx', 0o600);
  let bytes = 0;
  async function* copied(): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of chunks) {
      await file.writeFile(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  }
  try {
    const { head, dump } = await readBackup(copied());
    let records = 0;
    for await (const rows of (await readDump(dump)).frames) records += rows.length;
    await file.sync();
    return { head, records, bytes };
  } finally {
    await file.close();
  }
}

async function tell(context: CommandContext, options: ConnectionOptions, file: string, written: Written) {
  const { head, records, bytes } = written;
  const { clusterId, node, snapshot, madeAt } = head;
  if (options.json === true) {
    await context.stdout.json({ file, clusterId, node, index: snapshot.index, madeAt, records, bytes });
    return;
  }
  const what = `${formatCount(records, 'record')} at index ${snapshot.index}, ${formatSize(bytes)}`;
  await context.stdout.line(`${file}: cluster ${clusterId}, ${what}`);
}
