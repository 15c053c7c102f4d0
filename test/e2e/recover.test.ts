import { describe, expect, it } from 'vitest';
import type { CreatedJoinToken } from '../../src/api/views.ts';
import { runQuorate } from '../support/command-line.ts';
import { expectStatus } from '../support/node-api.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

describe('a cluster of three that lost two for good', () => {
  const cluster = useCluster({ size: 3 });

  it('is brought back from the one that is left, with its jobs, and refuses those that were left behind', async () => {
    const [left, old, gone] = [cluster().node(0), cluster().node(1), cluster().node(2)];
    const { clusterId } = await left.api.cluster();
    const { nodeId: leftId } = await left.requireFile();
    const { nodeId: oldId } = await old.requireFile();
    const done = await left.api.submit({ command: ['echo', 'before'], constraints: [`host == ${left.name}`] });
    await left.api.waitFinal(done.id);
    const here = await left.api.submit({ command: ['sleep', '600'], constraints: [`host == ${left.name}`] });
    const there = await left.api.submit({ command: ['sleep', '600'], constraints: [`host == ${old.name}`] });
    await waitUntil('both to run', async () => {
      const jobs = await Promise.all([here, there].map(({ id }) => left.api.job(id)));
      return jobs.every(({ state }) => state === 'running') ? true : null;
    });
    const recover = ['recover', '--data', left.dataDir];

    const running = await runQuorate(recover);
    expect(running).toMatchObject({ code: 4, stderr: expect.stringMatching(/another node uses.*\(conflict\)/) });
    await gone.killMachine();
    await old.killMachine();
    await left.killNode();

    const asked = await runQuorate(recover);
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    expect(asked.stdout).toMatch(/last entry +\d+ of term \d+/);
    expect(asked.stdout).toMatch(new RegExp(`${oldId} +voter +is left behind`));
    expect(asked.stdout).toMatch(new RegExp(`${leftId} +voter +stays`));
    const made = await runQuorate([...recover, '--yes', '--json']);
    expect(made.code, made.stderr).toBe(0);
    const { recoveredAs } = JSON.parse(made.stdout) as { recoveredAs: string };
    expect(recoveredAs).not.toBe(clusterId);

    await cluster().restart(left);
    const view = await left.api.cluster();
    expect(view).toMatchObject({ clusterId: recoveredAs, leader: leftId, members: [{ id: leftId, role: 'voter' }] });
    expect((await left.api.job(done.id)).state).toBe('succeeded');
    expect(await left.api.logs(done.id)).toBe('before\n');
    expect(await left.api.job(here.id)).toMatchObject({ state: 'running', attempts: [{ attempt: 1 }] });
    expect(await left.api.job(there.id)).toMatchObject({ state: 'queued', attempts: [{ state: 'lost' }] });

    await old.launch('up', []);
    const told = await waitUntil('the old member to know that it was left behind', async () => {
      const { status, body } = await (await old.withToken(null)).readiness();
      return status === 503 && body.missing.some((text) => text.includes('rejoin')) ? body.missing : null;
    });
    expect(told.join(' ')).toContain(`${leftId} went on as another cluster`);
    expect(old.logTail()).toContain('a member is up as a node of another cluster');
    expect((await left.api.cluster()).members).toHaveLength(1);
    old.destroy();

    const answer = await left.api.http.post('/v1/tokens/join', { uses: 2, ttl: '1h' });
    const { token } = expectStatus(answer, 201).json<CreatedJoinToken>();
    const rejoin = await runQuorate(['rejoin', '--data', old.dataDir, '--join', token]);
    expect(rejoin.code, rejoin.stderr).toBe(0);
    await cluster().restart(old);
    await cluster().join(token);
    cluster().nodes.splice(cluster().nodes.indexOf(gone), 1);
    await cluster().settled();
    const third = cluster().node(2);
    expect((await third.api.job(done.id)).state).toBe('succeeded');
    expect((await third.api.waitFinal((await third.api.submit({ command: ['true'] })).id)).state).toBe('succeeded');
  });
});
