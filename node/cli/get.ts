import { chmod, mkdir, open, rename, rm, rmdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { OutputItem } from '../../src/api/views.ts';
import { checkName } from '../../src/cas/directory.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatSize } from './format.ts';
import type { ConnectionOptions } from './options.ts';
import { plain } from './plain-text.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface GetOptions extends ConnectionOptions {
  readonly output?: string;
  readonly attempt?: number;
}

/** Lists what a job left, prints one file of it, or writes that file or all of it here. */
export async function get(
  context: CommandContext,
  [id, path]: readonly [id: string, path: string | undefined],
  options: GetOptions,
): Promise<number> {
  const client = connect(context, options);
  const { output } = options;
  if (path === undefined)
    return output === undefined ? list(context, client, id, options) : all(client, id, output, options);
  if (options.json === true) throw new UsageError('a file is no JSON: leave out --json');
  const bytes = await client.jobs.output(id, path, options);
  if (output !== undefined) await writeWhole(output, bytes);
  else for await (const chunk of bytes) await context.stdout.write(chunk);
  return EXIT.done;
}

async function list(context: CommandContext, client: QuorateClient, id: string, options: GetOptions): Promise<number> {
  const rows: string[][] = [];
  for await (const item of client.jobs.allOutputs(id, options)) {
    if (options.json === true) await context.stdout.json(item);
    else rows.push([sizeOf(item), plain(item.kind === 'symlink' ? `${item.path} → ${item.target ?? ''}` : item.path)]);
  }
  if (options.json !== true) await context.stdout.line(table(['SIZE', 'PATH'], rows));
  return EXIT.done;
}

function sizeOf({ kind, size = 0 }: OutputItem): string {
  return kind === 'file' ? formatSize(size) : '';
}

/** Into a folder that is made: nothing that is there already is written over, and no link is written through. */
async function all(client: QuorateClient, id: string, folder: string, options: GetOptions): Promise<number> {
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') throw new UsageError(`${folder} is there already`, 'name a folder that is made');
    throw error;
  });
  try {
    await fill(client, id, folder, options);
  } catch (error) {
    // With nothing in it, so that the same command may be given again.
    await rmdir(folder).catch(() => undefined);
    throw error;
  }
  return EXIT.done;
}

async function fill(client: QuorateClient, id: string, folder: string, options: GetOptions): Promise<void> {
  const links: OutputItem[] = [];
  for await (const item of client.jobs.allOutputs(id, options)) {
    // What comes from elsewhere must not lead out of the folder.
    for (const name of item.path.split('/')) checkName(name);
    const to = join(folder, item.path);
    if (item.kind === 'directory') await mkdir(to, { recursive: true });
    else if (item.kind === 'symlink') links.push(item);
    else {
      await writeWhole(to, await client.jobs.output(id, item.path, options));
      if (item.executable === true) await chmod(to, 0o755);
    }
  }
  for (const { path, target = '' } of links) await symlink(target, join(folder, path));
}

/** The file is there as a whole, or not at all. */
async function writeWhole(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const part = join(dirname(path), `.quorate-${process.pid}.part`);
  const file = await open(part, 'wx');
  try {
    for await (const chunk of bytes) await file.writeFile(chunk);
    await file.close();
    await rename(part, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
}
