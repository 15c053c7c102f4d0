import { access, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { isAlive } from '../support/processes.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';
import type { NodeProcess } from '../support/node-process.ts';

/** Ends when the test creates the file `go`, so that nothing here depends on speed. */
function heldJob(go: string): object {
  return { command: ['sh', '-c', `echo before; until [ -e '${go}' ]; do sleep 0.05; done; echo after; exit 5`] };
}

describe('a node that stops while a job runs', () => {
  const cluster = useCluster({ size: 1 });

  it.each([
    ['killed with -9', (node: NodeProcess) => node.killNode()],
    ['stopped with SIGTERM', (node: NodeProcess) => node.stop()],
  ])('finds the job again after being %s', async (how, end) => {
    const node = cluster().node(0);
    const go = `${cluster().folder}/go-${how.replaceAll(' ', '-')}`;
    const { id } = await node.api.submit(heldJob(go));
    await waitUntil('the job to write', async () => ((await node.api.logs(id)) === 'before\n' ? true : null));
    const { runner } = (await node.requireFile()).pids;

    await end(node);
    expect(runner !== null && isAlive(runner)).toBe(true);
    await cluster().restart(node);
    expect((await node.requireFile()).pids.runner).toBe(runner);
    expect((await node.api.job(id)).state).toBe('running');

    await touch(go);
    const job = await node.api.waitFinal(id);
    expect(job).toMatchObject({ state: 'failed', exitCode: 5 });
    expect(job.attempts).toHaveLength(1);
    expect(await node.api.logs(id)).toBe('before\nafter\n');
  });

  it('has the result of a job that ended while the node was away', async () => {
    const node = cluster().node(0);
    const go = `${cluster().folder}/go-away`;
    const done = `${cluster().folder}/done-away`;
    const { id } = await node.api.submit({
      command: ['sh', '-c', `echo before; until [ -e '${go}' ]; do sleep 0.05; done; touch '${done}'; exit 6`],
    });
    await waitUntil('the job to write', async () => ((await node.api.logs(id)) === 'before\n' ? true : null));

    await node.killNode();
    await touch(go);
    await waitUntil('the job to end', async () => ((await exists(done)) ? true : null));
    await cluster().restart(node);

    const job = await node.api.waitFinal(id);
    expect(job).toMatchObject({ state: 'failed', exitCode: 6 });
    expect(job.attempts).toHaveLength(1);
  });

  it('keeps what it knew of finished jobs, with their logs', async () => {
    const node = cluster().node(0);
    const { id } = await node.api.submit({ command: ['echo', 'kept'] });
    const before = await node.api.waitFinal(id);
    await node.killNode();
    await cluster().restart(node);
    expect(await node.api.job(id)).toEqual(before);
    expect(await node.api.logs(id)).toBe('kept\n');
  });
});

function touch(path: string): Promise<void> {
  return writeFile(path, '');
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
