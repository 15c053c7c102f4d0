import { describe, expect, it } from 'vitest';
import { useCluster } from '../support/use-cluster.ts';

describe('three nodes', () => {
  const cluster = useCluster({ size: 3 });

  it('takes a batch at a follower, runs it, and shows every log at the third node', async () => {
    const [follower, third] = await cluster().followers();
    const count = 60;
    const specs = Array.from({ length: count }, (_, index) => ({ command: ['sh', '-c', `echo job ${index}`] }));

    const lines = await follower!.api.submitBatch(specs);
    const ids = lines.map((line) => ('id' in line ? line.id : expect.fail(JSON.stringify(line.error))));
    expect(new Set(ids).size).toBe(count);

    for (const [index, id] of ids.entries()) {
      expect((await third!.api.waitFinal(id)).state).toBe('succeeded');
      expect(await third!.api.logs(id)).toBe(`job ${index}\n`);
    }
  });

  it('runs jobs on every machine', async () => {
    const node = cluster().node(1);
    const lines = await node.api.submitBatch(Array.from({ length: 30 }, () => ({ command: ['sleep', '0.3'] })));
    const runners = new Set<string>();
    for (const line of lines) {
      if (!('id' in line)) expect.fail(JSON.stringify(line.error));
      const job = await node.api.waitFinal(line.id);
      for (const attempt of job.attempts) runners.add(attempt.runner);
    }
    expect(runners.size).toBe(3);
  });

  it('answers the same linearizable read at every node as soon as the submission is acknowledged', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id } = await cluster()
        .node(round % 3)
        .api.submit({ command: ['true'] });
      for (const node of cluster().nodes) expect((await node.api.job(id)).id).toBe(id);
    }
  });

  it('follows the log of a job that runs elsewhere, as it is written', async () => {
    const [first, second] = cluster().nodes;
    const { id } = await first!.api.submit({
      command: ['sh', '-c', 'for i in 1 2 3; do echo line $i; sleep 0.2; done'],
      constraints: [`host == ${first!.name}`],
    });
    expect(await second!.api.logs(id, 'follow=true')).toBe('line 1\nline 2\nline 3\n');
    expect((await second!.api.waitFinal(id)).state).toBe('succeeded');
    expect(await second!.api.logs(id, 'follow=true&tail=2')).toBe('line 2\nline 3\n');
  });

  it('shows a large output of a job that runs elsewhere, as a whole and as it is written', async () => {
    const [first, second] = cluster().nodes;
    const { id } = await first!.api.submit({
      command: ['sh', '-c', 'sleep 0.3; head -c 3000000 /dev/zero | tr "\\0" x; echo end'],
      constraints: [`host == ${first!.name}`],
    });
    const whole = `${'x'.repeat(3_000_000)}end\n`;
    expect((await second!.api.logs(id, 'follow=true')) === whole).toBe(true);
    expect((await second!.api.logs(id)) === whole).toBe(true);
  });

  it('gives one job for one idempotency key, whichever node is asked', async () => {
    const headers = { 'idempotency-key': 'once' };
    const spec = { command: ['true'], name: 'once' };
    const first = await cluster().node(0).api.http.post('/v1/jobs', spec, { headers });
    const again = await cluster().node(1).api.http.post('/v1/jobs', spec, { headers });
    const other = await cluster()
      .node(2)
      .api.http.post('/v1/jobs', { ...spec, name: 'other' }, { headers });
    expect([first.status, again.status, other.status]).toEqual([201, 200, 409]);
    expect(again.json<{ id: string }>().id).toBe(first.json<{ id: string }>().id);
    expect(other.json<{ code: string }>().code).toBe('idempotencyConflict');
  });
});
