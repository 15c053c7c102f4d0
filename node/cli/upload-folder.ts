import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { type Digest, formatName } from '../../src/cas/digest.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import { LIMITS } from '../../src/limits.ts';
import { scanFolder } from '../trees/scan-folder.ts';
import { type FolderTree, treeOf } from '../trees/tree-of-folder.ts';
import type { CommandContext } from './command-context.ts';
import { Progress } from './progress.ts';
import { UsageError } from './usage-error.ts';

/** Blobs that are sent at the same time. */
const SENT_AT_ONCE = 4;
/** Names of a request: well within a body's limit. */
const NAMES_AT_ONCE = Math.min(5_000, LIMITS.blobNames);

interface Sent {
  readonly digest: Digest;
  /** Called for each try. */
  readonly body: () => Blob | Uint8Array<ArrayBuffer>;
}

/**
 * Puts what of a folder the cluster does not have. @returns the name of the tree's root, as `sha256:…`
 * @throws UsageError when it is no folder; Rejection `invalidTree`, `tooLarge`
 */
export async function uploadFolder(
  context: CommandContext,
  client: QuorateClient,
  folder: string,
  ignore: 'nothing' | 'git',
): Promise<string> {
  const isFolder = (await stat(folder).catch(() => null))?.isDirectory() ?? false;
  if (!isFolder) throw new UsageError(`${folder} is no folder`);
  const tree = await treeOf(scanFolder(folder, { ignore }));
  const missing = await missingOf(client, tree);
  const { files, directories } = missing;
  const progress = new Progress(context, { what: 'blobs sent', total: files.length + directories.length });
  let sent = 0;
  const count = (): void => progress.set((sent += 1));
  try {
    await send(client, files, count);
    // Behind what they name, the root last: who finds it finds all of the tree.
    await send(client, directories, count);
  } finally {
    progress.stop();
  }
  return formatName(tree.root);
}

async function missingOf(client: QuorateClient, { files, directories }: FolderTree) {
  const digests = [...files.values(), ...directories.values()].map(({ digest }) => formatName(digest));
  const missing = new Set<string>();
  for (let from = 0; from < digests.length; from += NAMES_AT_ONCE) {
    for (const name of await client.blobs.missing(digests.slice(from, from + NAMES_AT_ONCE))) missing.add(name);
  }
  const isMissing = ({ digest }: Sent): boolean => missing.has(formatName(digest));
  const opened = await Promise.all(
    [...files.values()]
      .filter(({ digest }) => missing.has(formatName(digest)))
      .map(async ({ digest, source }): Promise<Sent> => {
        const blob = await openAsBlob(source);
        return { digest, body: () => blob };
      }),
  );
  const folders = [...directories.values()].map(({ digest, bytes }): Sent => ({ digest, body: () => bytes }));
  return { files: opened, directories: folders.filter(isMissing) };
}

async function send(client: QuorateClient, blobs: readonly Sent[], onSent: () => void): Promise<void> {
  const put = async ({ digest, body }: Sent): Promise<void> => {
    await client.blobs.put(digest.hash, body);
    onSent();
  };
  await Readable.from(blobs).forEach(put, { concurrency: SENT_AT_ONCE });
}
