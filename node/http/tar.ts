import { createTarPacker } from 'modern-tar';
import type { Digest } from '../../src/cas/digest.ts';
import type { TreeEntry } from '../../src/cas/tree.ts';

/** Every file has this time: a tree tells none, and equal trees make equal archives. */
const MADE_AT = new Date(0);

/**
 * A tree as an archive (POSIX.1-2001 pax), read while it is made. @param open the bytes of a file
 * @throws what `open` and the entries throw; the archive has no end then
 */
export async function* tarOf(
  entries: AsyncIterable<TreeEntry>,
  open: (digest: Digest) => Promise<AsyncIterable<Uint8Array>>,
): AsyncGenerator<Uint8Array, void> {
  const { readable, controller } = createTarPacker();
  const packed = (async () => {
    for await (const entry of entries) {
      const body = controller.add(headerOf(entry));
      if (entry.kind === 'file') await ReadableStream.from(await open(entry.digest)).pipeTo(body);
      else await body.close();
    }
    controller.finalize();
  })().catch((error: unknown) => controller.error(error));
  try {
    yield* readable;
  } finally {
    // Who stops reading ends the packing too.
    await packed;
  }
}

function headerOf(entry: TreeEntry) {
  const common = { name: entry.path, size: 0, mtime: MADE_AT };
  switch (entry.kind) {
    case 'file': {
      const mode = entry.mode ?? (entry.executable ? 0o755 : 0o644);
      return { ...common, type: 'file', size: entry.digest.size, mode } as const;
    }
    case 'directory':
      return { ...common, name: `${entry.path}/`, type: 'directory', mode: 0o755 } as const;
    case 'symlink':
      return { ...common, type: 'symlink', linkname: entry.target } as const;
  }
}
