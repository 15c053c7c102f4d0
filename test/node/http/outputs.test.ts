import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { JobView, OutputsView } from '../../../src/api/views.ts';
import { formatName } from '../../../src/cas/digest.ts';
import { buildTree, type TreeEntry } from '../../../src/cas/tree.ts';
import { digestOf } from '../../../node/trees/tree-of-folder.ts';
import { FakeBlobs } from './fake-blobs.ts';
import { FakeCore } from './fake-core.ts';
import { serve } from './serving.ts';

/** A job whose second attempt left these files, served. */
async function serveOutputs(files: Readonly<Record<string, string>>, links: Readonly<Record<string, string>> = {}) {
  const core = new FakeCore();
  const blobs = new FakeBlobs();
  const entries: TreeEntry[] = Object.entries(files).map(([path, text]) => {
    blobs.add(Buffer.from(text));
    return { kind: 'file', path, digest: digestOf(Buffer.from(text)), executable: path.endsWith('.sh'), mode: null };
  });
  for (const [path, target] of Object.entries(links)) entries.push({ kind: 'symlink', path, target });
  const tree = buildTree(entries, digestOf);
  for (const { bytes } of tree.directories.values()) blobs.add(Buffer.from(bytes));
  const outputs = { rootDigest: formatName(tree.root), entries: entries.length, bytes: 0 };
  const job = core.addJob('succeeded');
  const attempt = { attempt: 1, outputs: null } as unknown as JobView['attempts'][number];
  core.stored.set(job.id as never, { ...job, attempts: [attempt, { ...attempt, attempt: 2, outputs }] });
  return { ...(await serve(core, { blobs })), blobs, path: `/v1/jobs/${job.id}/outputs`, tree };
}

const FILES = { 'dist/a': 'one', 'dist/run.sh': 'two', top: 'three' };

describe('what a job left', () => {
  it('is listed, each folder before what it holds', async () => {
    const { ask, path, tree } = await serveOutputs(FILES, { 'dist/link': 'a' });
    const told = (await ask('GET', path)).json<OutputsView>();
    expect(told).toMatchObject({ rootDigest: formatName(tree.root), nextCursor: null });
    expect(told.items).toEqual([
      { path: 'top', kind: 'file', size: 5, hash: digestOf(Buffer.from('three')).hash, executable: false },
      { path: 'dist', kind: 'directory' },
      { path: 'dist/a', kind: 'file', size: 3, hash: digestOf(Buffer.from('one')).hash, executable: false },
      { path: 'dist/run.sh', kind: 'file', size: 3, hash: digestOf(Buffer.from('two')).hash, executable: true },
      { path: 'dist/link', kind: 'symlink', target: 'a' },
    ]);
  });

  it('is listed in pages', async () => {
    const { ask, path } = await serveOutputs(FILES);
    const paths: string[] = [];
    let cursor: string | null = '0';
    while (cursor !== null) {
      const page: OutputsView = (await ask('GET', `${path}?limit=2&cursor=${cursor}`)).json<OutputsView>();
      expect(page.items.length).toBeLessThanOrEqual(2);
      paths.push(...page.items.map((item) => item.path));
      cursor = page.nextCursor;
    }
    expect(paths).toEqual(['top', 'dist', 'dist/a', 'dist/run.sh']);
  });

  it('is nothing for an attempt that left nothing', async () => {
    const { ask, path } = await serveOutputs(FILES);
    expect((await ask('GET', `${path}?attempt=1`)).json()).toEqual({
      rootDigest: null,
      entries: 0,
      bytes: 0,
      items: [],
      nextCursor: null,
    });
    expect((await ask('GET', `${path}/top?attempt=1`)).problem()).toMatchObject({ code: 'notFound' });
    expect((await ask('GET', `${path}?attempt=3`)).problem()).toMatchObject({ code: 'notFound', field: 'attempt' });
  });

  it('is read file by file, all or a range', async () => {
    const { ask, path } = await serveOutputs(FILES);
    const whole = await ask('GET', `${path}/dist/run.sh`);
    expect([whole.status, whole.text, whole.headers['content-disposition']]).toEqual([200, 'two', 'attachment']);
    const part = await ask('GET', `${path}/dist/a`, { headers: { range: 'bytes=1-' } });
    expect([part.status, part.text, part.headers['content-range']]).toEqual([206, 'ne', 'bytes 1-2/3']);
  });

  it('is read by names with any characters', async () => {
    const { ask, path } = await serveOutputs({ 'a b/ü?#%.txt': 'odd' });
    const name = 'a b/ü?#%.txt'.split('/').map(encodeURIComponent).join('/');
    expect((await ask('GET', `${path}/${name}`)).text).toBe('odd');
  });

  it.each([
    ['nope', 'there is no nope'],
    ['dist', 'dist is a folder'],
    ['dist/link', 'is a symbolic link to ../../../etc/passwd'],
    ['dist/link/x', 'there is no folder'],
    ['top/x', 'there is no folder'],
    ['..%2f..%2fetc%2fpasswd', 'there is no'],
    ['dist/%2e%2e/top', 'there is no'],
  ])('has no file %s', async (name, detail) => {
    const { ask, path } = await serveOutputs(FILES, { 'dist/link': '../../../etc/passwd' });
    const problem = (await ask('GET', `${path}/${name}`)).problem();
    expect(problem).toMatchObject({ status: 404, code: 'notFound' });
    expect(problem.detail).toContain(detail);
  });

  it('comes all at once as an archive that tar reads', async () => {
    const big = 'x'.repeat(1_000_000);
    const { ask, path } = await serveOutputs({ ...FILES, [`deep/${'n'.repeat(200)}/file`]: big }, { 'dist/link': 'a' });
    const { bytes, headers } = await ask('GET', `${path}?format=tar`);
    expect(headers['content-type']).toBe('application/x-tar');
    const listed = execFileSync('tar', ['-tvf', '-'], { input: bytes, encoding: 'utf8' });
    expect(listed).toMatch(/-rw-r--r-- .* 3 .* dist\/a\n/);
    expect(listed).toMatch(/-rwxr-xr-x .* 3 .* dist\/run.sh\n/);
    expect(listed).toMatch(/l.* dist\/link -> a\n/);
    expect(execFileSync('tar', ['-xOf', '-', `deep/${'n'.repeat(200)}/file`], { input: bytes }).toString()).toBe(big);
  });

  it('is cut when a blob of it is gone, so that the archive does not look whole', async () => {
    const { ask, path, blobs } = await serveOutputs(FILES);
    blobs.stored.delete(digestOf(Buffer.from('two')).hash);
    await expect(ask('GET', `${path}?format=tar`)).rejects.toThrow('aborted');
    expect((await ask('GET', `${path}/dist/run.sh`)).problem()).toMatchObject({ code: 'notFound' });
    expect((await ask('GET', `${path}/top`)).text).toBe('three');
  });
});

describe('POST /v1/blobs/missing', () => {
  it('tells which are nowhere, in their order', async () => {
    const { ask } = await serveOutputs({ a: 'one' });
    const names = ['two', 'one', 'three'].map((text) => formatName(digestOf(Buffer.from(text))));
    const answer = await ask('POST', '/v1/blobs/missing', { json: { names } });
    expect(answer.json()).toEqual({ missing: [names[0], names[2]] });
  });

  it('refuses what is no name', async () => {
    const { ask } = await serveOutputs({});
    const answer = await ask('POST', '/v1/blobs/missing', { json: { names: ['x'] } });
    expect(answer.problem()).toMatchObject({ status: 400, code: 'invalidRequest' });
  });
});
