import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { JobView } from '../../src/api/views.ts';
import { useCluster } from '../support/use-cluster.ts';

const ROOT = join(import.meta.dirname, '../..');
const PATH = `${join(ROOT, 'scripts')}:${process.env['PATH'] ?? ''}`;
const HAS_CURL = spawnSync('curl', ['--version']).status === 0;

const cluster = useCluster({ size: 1 });

/** The script below a heading of the page. */
async function example(heading: string): Promise<string> {
  const page = await readFile(join(ROOT, 'docs/fan-out.md'), 'utf8');
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  const [, script] = /```sh\n(.*?)```/s.exec(section.split('\n## ')[0] ?? '') ?? [];
  if (script === undefined) throw new Error(`docs/fan-out.md has no script below "${heading}"`);
  return script;
}

async function runAsJob(script: string, resources: object): Promise<JobView & { readonly stdout: string }> {
  const { api } = cluster().node(0);
  const { id } = await api.submit({ command: ['sh', '-euc', script], env: { PATH }, resources });
  const job = await api.waitFinal(id);
  expect(job.state, await api.logs(id, 'stream=stderr')).toBe('succeeded');
  return { ...job, stdout: await api.logs(id, 'stream=stdout') };
}

async function statesOfChildren(parent: string): Promise<Record<string, number>> {
  const { items } = await cluster().node(0).api.jobs(`parent=${parent}&limit=100`);
  const states: Record<string, number> = {};
  for (const { state } of items) states[state] = (states[state] ?? 0) + 1;
  return states;
}

describe('the page on jobs that submit jobs', () => {
  it('shows how with the command line', async () => {
    const { id, stdout } = await runAsJob(await example('With the command line'), { cpu: 0.1 });
    expect(stdout).toContain('19 succeeded, 1 failed');
    expect(stdout).toContain('not all succeeded');
    expect(await statesOfChildren(id)).toEqual({ succeeded: 19, failed: 1 });
  });

  it.skipIf(!HAS_CURL)('shows how with curl', async () => {
    const { id, stdout } = await runAsJob(await example('With curl'), { cpu: 0.1 });
    expect(JSON.parse(stdout)).toMatchObject({ state: 'finished', counts: { succeeded: 19, failed: 1 } });
    expect(await statesOfChildren(id)).toEqual({ succeeded: 19, failed: 1 });
  });

  it('shows how a job goes on after the end of the one that submitted it', async () => {
    const { id, stdout } = await runAsJob(await example('A parent that waits holds its room'), { cpu: 0.1 });
    const { api } = cluster().node(0);
    const last = await api.waitFinal(stdout.trim());
    expect([last.state, last.parent, await api.logs(last.id)]).toEqual(['succeeded', id, 'all parts have ended\n']);
    expect(await statesOfChildren(id)).toEqual({ succeeded: 4 });
  });

  it('tells rightly that parents without a processor leave all of them to their children', async () => {
    const { api } = cluster().node(0);
    const [runner] = await api.runners();
    const parents = 3 * (runner?.total.cpu ?? 1);
    const script = 'quorate run -- true';
    const ids = (
      await Promise.all(
        Array.from({ length: parents }, () =>
          api.submit({ command: ['sh', '-c', script], env: { PATH }, resources: { cpu: 0 } }),
        ),
      )
    ).map(({ id }) => id);
    for (const id of ids) expect((await api.waitFinal(id)).state).toBe('succeeded');
  });
});
