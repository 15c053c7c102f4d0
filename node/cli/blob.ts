import { createHash } from 'node:crypto';
import { createReadStream, openAsBlob } from 'node:fs';
import { mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Rejection } from '../../src/errors.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import type { ConnectionOptions } from './options.ts';
import { Progress } from './progress.ts';
import { UsageError } from './usage-error.ts';

/** A request that is sent again reads the bytes again, so what comes in by a pipe is put into a file first. */
export async function blobPut(
  context: CommandContext,
  [file]: readonly [file: string],
  options: ConnectionOptions,
): Promise<number> {
  const client = connect(context, options);
  const folder = file === '-' ? await mkdtemp(join(tmpdir(), 'quorate-blob-')) : null;
  try {
    const path = folder === null ? file : join(folder, 'stdin');
    if (folder !== null) await writeFile(path, context.stdin);
    const hash = await hashOf(path);
    const blob = await openAsBlob(path);
    await client.blobs.put(hash, bodyOf(context, blob));
    if (options.json === true) await context.stdout.json({ hash, size: blob.size });
    else await context.stdout.line(hash);
    return EXIT.done;
  } finally {
    if (folder !== null) await rm(folder, { recursive: true, force: true });
  }
}

/** On a terminal the bytes are counted as they go; elsewhere the node is told beforehand how many come. */
function bodyOf({ stderr }: CommandContext, blob: Blob): () => Blob | ReadableStream<Uint8Array> {
  if (!stderr.isTerminal) return () => blob;
  return () => {
    const progress = transferProgress({ stderr }, blob.size);
    let sent = 0;
    const counting = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        progress.set(inMiB((sent += chunk.length)));
        controller.enqueue(chunk);
      },
      flush: () => progress.stop(),
      cancel: () => progress.stop(),
    });
    return blob.stream().pipeThrough(counting);
  };
}

function transferProgress(context: Pick<CommandContext, 'stderr'>, size: number): Progress {
  return new Progress(context, { what: 'MiB', total: inMiB(size) });
}

function inMiB(bytes: number): number {
  return Math.ceil(bytes / (1024 * 1024));
}

export async function blobStat(
  context: CommandContext,
  [hash]: readonly [hash: string],
  options: ConnectionOptions,
): Promise<number> {
  checkHash(hash);
  const { size } = await connect(context, options).blobs.stat(hash);
  if (options.json === true) await context.stdout.json({ hash, size });
  else await context.stdout.line(String(size));
  return EXIT.done;
}

export interface BlobGetOptions extends ConnectionOptions {
  readonly output?: string;
}

export async function blobGet(
  context: CommandContext,
  [hash]: readonly [hash: string],
  options: BlobGetOptions,
): Promise<number> {
  const { output, json } = options;
  checkHash(hash);
  if (json === true && output === undefined) {
    throw new UsageError('the bytes themselves are no JSON', 'add --output FILE: --json tells what was written there');
  }
  const { blobs } = connect(context, options);
  if (output === undefined) {
    await copy(await blobs.get(hash), hash, (chunk) => context.stdout.write(chunk));
    return EXIT.done;
  }
  const progress = transferProgress(context, (await blobs.stat(hash)).size);
  try {
    const size = await copyToFile(watched(await blobs.get(hash), progress), hash, output);
    if (json === true) await context.stdout.json({ hash, size, file: output });
  } finally {
    progress.stop();
  }
  return EXIT.done;
}

function checkHash(hash: string): void {
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new UsageError('a hash is 64 hex digits in lower case');
}

async function* watched(chunks: AsyncIterable<Uint8Array>, progress: Progress): AsyncGenerator<Uint8Array, void> {
  let received = 0;
  for await (const chunk of chunks) {
    progress.set(inMiB((received += chunk.length)));
    yield chunk;
  }
}

/** The file is there as a whole and with the right bytes, or not at all. Gives their number. */
async function copyToFile(chunks: AsyncIterable<Uint8Array>, hash: string, output: string): Promise<number> {
  const part = join(dirname(output), `.${basename(output)}.${process.pid}.part`);
  const file = await open(part, 'wx');
  let size = 0;
  try {
    await copy(chunks, hash, async (chunk) => {
      await file.writeFile(chunk);
      size += chunk.length;
    });
    await file.close();
    await rename(part, output);
    return size;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
}

async function copy(
  chunks: AsyncIterable<Uint8Array>,
  hash: string,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const hasher = createHash('sha256');
  for await (const chunk of chunks) {
    hasher.update(chunk);
    await write(chunk);
  }
  if (hasher.digest('hex') !== hash)
    throw new Rejection('hashMismatch', 'the bytes that came are not those of the hash');
}

async function hashOf(path: string): Promise<string> {
  const hasher = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hasher.update(chunk as Buffer);
  return hasher.digest('hex');
}
