import { buffer } from 'node:stream/consumers';
import { type BlobName, formatName } from '../../src/cas/digest.ts';
import { invalid } from '../../src/cas/directory.ts';
import { Rejection } from '../../src/errors.ts';
import type { TreeBlobs } from './port.ts';

/** Bytes of one folder of a tree: half a million names of usual length. */
const DIRECTORY_BYTES_MAX = 64 * 1024 * 1024;

/** The bytes of a folder. @throws Rejection `notFound` that names the blob, `invalidTree`; Fault */
export async function readDirectory(blobs: Pick<TreeBlobs, 'open'>, name: BlobName): Promise<Uint8Array> {
  const { size, stream } = await blobs.open(name).catch(tellMissing(name));
  if (size > DIRECTORY_BYTES_MAX) throw invalid(`${formatName(name)} is too large for a folder: ${size} bytes`);
  return buffer(stream);
}

export function tellMissing(name: BlobName): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof Rejection) || error.code !== 'notFound') throw error;
    throw new Rejection('notFound', `the blob ${formatName(name)} is nowhere in the cluster`);
  };
}
