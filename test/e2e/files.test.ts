import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { JobView, OutputItem, Problem } from '../../src/api/views.ts';
import { QuorateClient } from '../../src/client/client.ts';
import { runQuorate } from '../support/command-line.ts';
import { expectStatus, type NodeApi } from '../support/node-api.ts';
import { makeTempFolder } from '../support/temp-folder.ts';
import { useCluster } from '../support/use-cluster.ts';

const cluster = useCluster({ size: 3 });
const CPU = { resources: { cpu: 0.1 } };

function at(position: number): NodeApi {
  return cluster().node(position).api;
}

async function clientAt(position: number): Promise<QuorateClient> {
  const { http } = await cluster().node(position).requireFile();
  return new QuorateClient({ urls: [http], token: await cluster().adminToken() });
}

function on(position: number) {
  return { ...CPU, constraints: [`host == ${cluster().node(position).name}`] };
}

async function quorate(position: number, args: readonly string[], cwd?: string) {
  const { http } = await cluster().node(position).requireFile();
  const env = { QUORATE_URL: http, QUORATE_TOKEN: await cluster().adminToken() };
  const words = cwd === undefined ? args : args.map((word) => word.replace('CWD', cwd));
  return runQuorate(words, { env });
}

async function leftBy(position: number, { id }: JobView): Promise<readonly OutputItem[]> {
  return Array.fromAsync((await clientAt(position)).jobs.allOutputs(id));
}

async function textOf(position: number, { id }: JobView, path: string): Promise<string> {
  const chunks = await (await clientAt(position)).jobs.output(id, path);
  return Buffer.concat(await Array.fromAsync(chunks)).toString();
}

async function tempFolder(): Promise<string> {
  const temp = await makeTempFolder('files');
  onTestFinished(() => temp.remove());
  return temp.path;
}

describe('the files of a job', () => {
  it('are kept as it left them, and read at any node', async () => {
    const script =
      'mkdir -p dist/empty reports && echo one > dist/a && printf %s two > dist/run && chmod 755 dist/run && ' +
      'ln -s a dist/link && echo x > reports/r.xml && echo y > reports/r.txt && echo z > "$QUORATE_OUTPUTS/told"';
    const job = await at(0).submit({
      command: ['sh', '-c', script],
      outputs: ['dist', 'reports/*.xml', 'missing'],
      ...on(1),
    });
    expect((await at(0).waitFinal(job.id)).state).toBe('succeeded');
    for (const node of [0, 1, 2]) {
      const items = await leftBy(node, job);
      expect(items.map(({ path, kind }) => (kind === 'directory' ? `${path}/` : path))).toEqual([
        'told',
        'dist/',
        'reports/',
        'dist/a',
        'dist/run',
        'dist/link',
        'dist/empty/',
        'reports/r.xml',
      ]);
      expect(items.find(({ path }) => path === 'dist/run')).toMatchObject({ executable: true, size: 3 });
      expect(items.find(({ path }) => path === 'dist/link')).toMatchObject({ kind: 'symlink', target: 'a' });
      expect(await textOf(node, job, 'dist/a')).toBe('one\n');
    }
    const part = await at(2).http.get(`/v1/jobs/${job.id}/outputs/dist/run`, { headers: { range: 'bytes=1-' } });
    expect([part.status, part.text]).toEqual([206, 'wo']);
    const missing = await at(2).http.get(`/v1/jobs/${job.id}/outputs/reports/r.txt`);
    expect(missing.status).toBe(404);
  });

  it('are kept of one that fails, too', async () => {
    const job = await at(0).submit({ command: ['sh', '-c', 'echo why > report; exit 3'], outputs: ['report'], ...CPU });
    expect(await at(0).waitFinal(job.id)).toMatchObject({ state: 'failed', exitCode: 3 });
    expect(await textOf(1, job, 'report')).toBe('why\n');
  });

  it('go from one job to the next, wherever they run', async () => {
    const compile = (name: string, node: number) =>
      at(node).submit({ command: ['sh', '-c', `echo ${name} > ${name}.o`], outputs: ['*.o'], ...on(node) });
    const [a, b] = [await compile('a', 0), await compile('b', 1)];
    const link = await at(1).submit({
      command: ['sh', '-c', 'cat a.o deep/b.o > "$QUORATE_OUTPUTS/all"'],
      dependsOn: [{ job: a.id }, { job: b.id }],
      inputs: { outputsOf: [{ job: a.id }, { job: b.id, at: 'deep' }] },
      ...on(2),
    });
    expect((await at(0).waitFinal(link.id)).state).toBe('succeeded');
    expect(await textOf(0, link, 'all')).toBe('a\nb\n');
  });

  it('come from a folder by the command line, of which only what is missing is sent, and go back into one', async () => {
    const folder = await tempFolder();
    await mkdir(join(folder, 'in/sub'), { recursive: true });
    await writeFile(join(folder, 'in/sub/text'), 'from here\n');
    await writeFile(join(folder, 'in/skipped.log'), '');
    await writeFile(join(folder, 'in/.gitignore'), '*.log\n');
    const flags = ['--input', join(folder, 'in'), '--git-ignore', '--output', 'out', '--cpu', '0.1'];
    const script = 'ls -A; mkdir out; tr a-z A-Z < sub/text > out/text';
    const run = await quorate(0, ['run', ...flags, '--', 'sh', '-c', script]);
    expect(run).toMatchObject({ code: 0, stdout: '.gitignore\nsub\n' });
    const again = await quorate(1, ['submit', ...flags, '--json', '--', 'sh', '-c', script]);
    const { id } = JSON.parse(again.stdout) as JobView;
    expect((await at(2).waitFinal(id)).state).toBe('succeeded');
    expect(await quorate(2, ['get', id, 'out/text'])).toMatchObject({ code: 0, stdout: 'FROM HERE\n' });
    // A mistake leaves no folder that keeps the next try from being made.
    expect((await quorate(2, ['get', 'no-job', '-o', join(folder, 'back')])).code).toBe(4);
    expect((await quorate(2, ['get', id, '-o', join(folder, 'back')])).code).toBe(0);
    expect(await readFile(join(folder, 'back/out/text'), 'utf8')).toBe('FROM HERE\n');
    expect((await quorate(2, ['get', id, '-o', join(folder, 'back')])).code).toBe(2);
    expect(await readdir(folder)).toEqual(['back', 'in']);
  });

  it('are found by the job where no other of its attempts wrote, read-only', async () => {
    const folder = await tempFolder();
    await writeFile(join(folder, 'shared'), 'as it was');
    const once = ['run', '--input', folder, '--cpu', '0.1', '--'];
    const change = 'cat shared; chmod u+w shared 2>/dev/null; echo evil > shared';
    for (let n = 0; n < 3; n += 1) {
      const run = await quorate(0, [...once, 'sh', '-c', `stat -c %a shared; ${change}`]);
      expect(run).toMatchObject({ code: 0, stdout: '444\nas it was' });
    }
  });

  it('that are nowhere end the job, and no other, with what is missing', async () => {
    const rootDigest = `sha256:${'ab'.repeat(32)}`;
    const job = await at(0).submit({ command: ['true'], inputs: { rootDigest }, ...CPU });
    const end = await at(1).waitFinal(job.id);
    expect(end.state).toBe('failed');
    expect(end.attempts[0]?.reason).toContain(rootDigest);
  });

  it('that cannot be kept make the job fail, and say why', async () => {
    const job = await at(0).submit({ command: ['mkfifo', 'pipe'], outputs: ['pipe'], ...CPU });
    const end = await at(1).waitFinal(job.id);
    expect(end).toMatchObject({ state: 'failed', exitCode: 0 });
    expect(end.attempts[0]?.reason).toContain('pipe is a pipe');
  });

  it('are refused where they could not come', async () => {
    const refused = async (spec: object) =>
      (await at(0).http.post('/v1/jobs', { command: ['true'], ...spec })).json<Problem>();
    expect(await refused({ inputs: { rootDigest: 'sha256:x' } })).toMatchObject({ field: 'inputs.rootDigest' });
    expect(await refused({ outputs: ['../x'] })).toMatchObject({ field: 'outputs[0]' });
    expect(await refused({ outputs: ['/etc/passwd'] })).toMatchObject({ field: 'outputs[0]' });
    const job = await at(0).submit({ command: ['true'], ...CPU });
    expect(await refused({ inputs: { outputsOf: [{ job: job.id }] } })).toMatchObject({
      field: 'inputs.outputsOf[0].job',
    });
    await at(0).waitFinal(job.id);
    const { items, rootDigest } = expectStatus(await at(1).http.get(`/v1/jobs/${job.id}/outputs`), 200).json<{
      items: unknown[];
      rootDigest: unknown;
    }>();
    expect([items, rootDigest]).toEqual([[], null]);
  });

  it('come all at once as an archive', async () => {
    const job = await at(0).submit({
      command: ['sh', '-c', 'mkdir d; seq 100000 > d/n; ln -s n d/l'],
      outputs: ['d'],
      ...CPU,
    });
    await at(0).waitFinal(job.id);
    const folder = await tempFolder();
    const { http } = await cluster().node(2).requireFile();
    const headers = { authorization: `Bearer ${await cluster().adminToken()}` };
    const answer = await fetch(`http://${http}/v1/jobs/${job.id}/outputs?format=tar`, { headers });
    await writeFile(join(folder, 'all.tar'), Buffer.from(await answer.arrayBuffer()));
    const listed = execFileSync('tar', ['-tf', join(folder, 'all.tar')], { encoding: 'utf8' });
    expect(listed).toBe('d/\nd/n\nd/l\n');
    execFileSync('tar', ['-xf', join(folder, 'all.tar'), '-C', folder]);
    expect((await readFile(join(folder, 'd/l'), 'utf8')).split('\n')).toHaveLength(100_001);
  });
});
