import { z } from 'zod';
import type { JobView } from '../../src/api/views.ts';
import { type BlobName, type Digest, parseName } from '../../src/cas/digest.ts';
import { decodeDirectory, type Directory } from '../../src/cas/directory.ts';
import { type TreeEntry, walkTree } from '../../src/cas/tree.ts';
import { Rejection } from '../../src/errors.ts';
import type { Outputs } from '../../src/jobs/job.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Core } from '../core.ts';
import { readDirectory } from '../trees/read-directory.ts';
import { bytesOf, type ServedBlobs } from './blobs.ts';
import { type Answer, json, type Route, route } from './route.ts';
import { consistency, idParams, jobId, outputsView } from './schemas.ts';
import { tarOf } from './tar.ts';

const attempt = z.coerce
  .number<string>()
  .pipe(z.int().min(1))
  .optional()
  .meta({ description: 'The last one when left out.' });

const listQuery = z.strictObject({
  attempt,
  format: z.enum(['json', 'tar']).default('json').meta({ description: '`tar`: all of them in one archive.' }),
  limit: z.coerce.number<string>().pipe(z.int().min(1).max(LIMITS.listMax)).default(LIMITS.listMax),
  cursor: z.coerce
    .number<string>()
    .pipe(z.int().nonnegative())
    .default(0)
    .meta({ description: '`nextCursor` of the page before.' }),
  consistency,
});

/** What jobs left: listed from their trees, and read as blobs, at any node. */
export function outputRoutes(core: Core, blobs: ServedBlobs): readonly Route[] {
  return [listRoute(core, blobs), readRoute(core, blobs)];
}

function listRoute(core: Core, blobs: ServedBlobs): Route {
  return route({
    method: 'GET',
    path: '/v1/jobs/:id/outputs',
    scope: 'jobs:read',
    own: 'job',
    summary: 'List what a job left, or read all of it',
    params: idParams,
    query: listQuery,
    responses: { 200: { description: 'Each folder before what it holds.', schema: outputsView } },
    async handle({ params, query }) {
      const outputs = outputsOf(await core.job(jobId(params.id), query.consistency), query.attempt);
      if (query.format === 'tar') return asTar(blobs, outputs, params.id);
      const { cursor, limit } = query;
      const items: object[] = [];
      let nextCursor: string | null = null;
      let position = 0;
      for await (const entry of walk(blobs, outputs)) {
        position += 1;
        if (position <= cursor) continue;
        if (items.length === limit) {
          nextCursor = String(position - 1);
          break;
        }
        items.push(toItem(entry));
      }
      return json({ rootDigest: null, entries: 0, bytes: 0, ...outputs, items, nextCursor });
    },
  });
}

function readRoute(core: Core, blobs: ServedBlobs): Route {
  return route({
    method: 'GET',
    path: '/v1/jobs/:id/outputs/*',
    scope: 'jobs:read',
    own: 'job',
    summary: 'Read one file of what a job left, all or one range',
    params: z.strictObject({ id: idParams.shape.id, '*': z.string().min(1).max(LIMITS.treePathBytes) }),
    query: z.strictObject({ attempt, consistency }),
    headers: z.object({ range: z.string().optional() }),
    responses: {
      200: { description: 'The bytes.', mediaType: 'application/octet-stream' },
      206: { description: 'The range.', mediaType: 'application/octet-stream' },
    },
    async handle({ params, query, headers }) {
      const outputs = outputsOf(await core.job(jobId(params.id), query.consistency), query.attempt);
      return await bytesOf(blobs, await findFile(blobs, outputs, params['*']), headers.range);
    },
  });
}

/** Null: it left nothing. @throws Rejection `notFound` for an attempt that there was not */
function outputsOf(job: JobView, wanted: number | undefined): Outputs | null {
  if (wanted === undefined) return job.attempts.at(-1)?.outputs ?? null;
  const found = job.attempts.find((one) => one.attempt === wanted);
  if (found === undefined) throw new Rejection('notFound', `there was no attempt ${wanted}`, { field: 'attempt' });
  return found.outputs;
}

async function* walk(blobs: ServedBlobs, outputs: Outputs | null): AsyncGenerator<TreeEntry, void> {
  if (outputs === null) return;
  yield* walkTree(parseName(outputs.rootDigest), (name) => readDirectory(blobs, name));
}

async function readFolder(blobs: ServedBlobs, name: BlobName): Promise<Directory> {
  return decodeDirectory(await readDirectory(blobs, name), name.function);
}

/** Folder by folder, without looking at the rest. @throws Rejection `notFound` unless it is a file */
async function findFile(blobs: ServedBlobs, outputs: Outputs | null, path: string): Promise<Digest> {
  if (outputs === null) throw new Rejection('notFound', 'the job left nothing');
  let folder: BlobName = parseName(outputs.rootDigest);
  const names = path.split('/');
  const last = names.pop();
  for (const name of names) {
    const next = (await readFolder(blobs, folder)).directories.find((one) => one.name === name);
    if (next === undefined) throw new Rejection('notFound', `there is no folder of ${path} in what the job left`);
    folder = next.digest;
  }
  const { files, directories, symlinks } = await readFolder(blobs, folder);
  const file = files.find(({ name }) => name === last);
  if (file !== undefined) return file.digest;
  const link = symlinks.find(({ name }) => name === last);
  if (link !== undefined) throw new Rejection('notFound', `${path} is a symbolic link to ${link.target}`);
  if (directories.some(({ name }) => name === last)) throw new Rejection('notFound', `${path} is a folder`);
  throw new Rejection('notFound', `there is no ${path} in what the job left`);
}

function asTar(blobs: ServedBlobs, outputs: Outputs | null, id: string): Answer {
  return {
    kind: 'stream',
    status: 200,
    headers: { 'content-type': 'application/x-tar', 'content-disposition': `attachment; filename="${jobId(id)}.tar"` },
    pieces: tarOf(walk(blobs, outputs), async (digest) => (await blobs.open(digest)).stream),
  };
}

function toItem(entry: TreeEntry): object {
  if (entry.kind !== 'file') return entry;
  const { path, kind, digest, executable } = entry;
  return { path, kind, size: digest.size, hash: digest.hash, executable };
}
