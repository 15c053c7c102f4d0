import { describe, expect, it } from 'vitest';
import type { JobView } from '../../src/api/views.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

describe('a machine that vanishes', () => {
  const cluster = useCluster({ size: 3 });

  it('costs its job one lost attempt, and the job succeeds elsewhere', async () => {
    const mark = `${cluster().folder}/first-attempt`;
    const { id } = await cluster()
      .node(0)
      .api.submit({ command: ['sh', '-c', `mkdir '${mark}' 2>/dev/null && exec sleep 600; echo again`] });
    const { victim, witness } = await running(id);

    await victim.killMachine();
    const job = await witness.api.waitFinal(id);
    expect(job.state).toBe('succeeded');
    expect(job.attempts.map(({ attempt, state }) => [attempt, state])).toEqual([
      [1, 'lost'],
      [2, 'succeeded'],
    ]);
    expect(job.attempts[1]?.runner).not.toBe(job.attempts[0]?.runner);
    expect(await witness.api.logs(id)).toBe('again\n');
    await cluster().restart(victim);
    await cluster().settled();
  });

  it('ends a job that must not run twice as lost', async () => {
    const { id } = await cluster()
      .node(0)
      .api.submit({ command: ['sleep', '600'], retry: 'never' });
    const { victim, witness } = await running(id);

    await victim.killMachine();
    const job = await witness.api.waitFinal(id);
    expect(job).toMatchObject({ state: 'lost', exitCode: null });
    expect(job.attempts.map(({ state }) => state)).toEqual(['lost']);
    await cluster().restart(victim);
    await cluster().settled();
    expect((await victim.api.job(id)).attempts).toHaveLength(1);
  });

  async function running(id: string): Promise<{ readonly victim: NodeProcess; readonly witness: NodeProcess }> {
    const job = await waitUntil('the job to run', async () => {
      const view: JobView = await cluster().node(0).api.job(id);
      return view.state === 'running' ? view : null;
    });
    const holder = job.attempts.at(-1)?.runner;
    const ids = await Promise.all(cluster().nodes.map(async (node) => (await node.requireFile()).nodeId));
    const position = ids.findIndex((nodeId) => nodeId === holder);
    return { victim: cluster().node(position), witness: cluster().node((position + 1) % 3) };
  }
});
