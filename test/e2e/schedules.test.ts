import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ScheduleView } from '../../src/api/schedule-view.ts';
import type { CreatedToken, JobView } from '../../src/api/views.ts';
import { runQuorate } from '../support/command-line.ts';
import { expectStatus, NodeApi } from '../support/node-api.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const cluster = useCluster({ size: 3 });
const SECOND = 1000;

/** Each request goes to another node. */
function anyNode(): NodeApi {
  turn += 1;
  return cluster().node(turn % 3).api;
}
let turn = 0;

async function create(name: string, rest: object, api = anyNode()): Promise<ScheduleView> {
  const spec = { command: ['true'], resources: { cpu: 0.01 } };
  return expectStatus(await api.http.post('/v1/schedules', { name, spec, ...rest }), 201).json<ScheduleView>();
}

async function read(name: string): Promise<ScheduleView> {
  return expectStatus(await anyNode().http.get(`/v1/schedules/${name}`), 200).json<ScheduleView>();
}

async function set(name: string, change: object, api = anyNode()): Promise<ScheduleView> {
  const body = JSON.stringify(change);
  return expectStatus(await api.http.send('PUT', `/v1/schedules/${name}`, { body }), 200).json<ScheduleView>();
}

async function jobsOf(name: string): Promise<readonly JobView[]> {
  return (await anyNode().jobs(`schedule=${name}&limit=1000`)).items;
}

const dueOf = (job: JobView) => Date.parse(job.schedule?.due ?? '');

/** Reads what the schedule did: each second from the first has one job, or was counted as missed. */
async function expectEachSecondOnce(name: string): Promise<{ readonly fired: number; readonly missed: number }> {
  const { fired, missed, missedCount, refused, skipped, createdAt } = await read(name);
  const due = (await jobsOf(name)).map(dueOf).toSorted((a, b) => a - b);
  expect(due.filter((time) => time % SECOND !== 0)).toEqual([]);
  expect(new Set(due).size, 'a second has two jobs').toBe(due.length);
  const first = (Math.floor(Date.parse(createdAt) / SECOND) + 1) * SECOND;
  const seconds = ((due.at(-1) ?? 0) - first) / SECOND + 1;
  expect([fired, refused, skipped, missedCount]).toEqual([due.length, 0, 0, 'exact']);
  expect(fired + missed, 'a second is neither fired nor counted').toBe(seconds);
  return { fired, missed };
}

describe('a schedule of each second', () => {
  it('fires each at most once, and counts what it missed, while its leader is killed three times', async () => {
    const effects = join(cluster().folder, 'effects');
    const command = ['sh', '-c', 'echo "$QUORATE_JOB_ID $QUORATE_SCHEDULE $QUORATE_SCHEDULE_DUE" >> "$EFFECTS"'];
    const spec = { command, env: { EFFECTS: effects }, resources: { cpu: 0.01 } };
    await create('tick', { cron: '* * * * * *', overlap: 'allowAll', spec });
    for (let kill = 0; kill < 3; kill += 1) {
      const before = (await read('tick')).fired;
      await waitUntil('it to fire', async () => ((await read('tick')).fired >= before + 3 ? true : null));
      const leader = await cluster().leader();
      await leader.killNode();
      await waitUntil('another leader', () =>
        cluster()
          .leader()
          .catch(() => null),
      );
      await cluster().restart(leader);
    }
    await set('tick', { paused: true });
    const { fired, missed } = await expectEachSecondOnce('tick');
    console.log(`3 leaders killed: ${fired} seconds fired, ${missed} missed`);

    const jobs = await jobsOf('tick');
    for (const { id } of jobs) await anyNode().waitFinal(id);
    const ran = (await readFile(effects, 'utf8')).trimEnd().split('\n');
    expect(new Set(ran)).toEqual(new Set(jobs.map(({ id, schedule }) => `${id} tick ${schedule?.due}`)));
  }, 300_000);

  it('makes up the last second of those that no node was up for, and counts the others', async () => {
    await set('tick', { paused: false });
    const { fired } = await read('tick');
    const resumed = await waitUntil('it to fire', async () =>
      (await read('tick')).fired > fired ? read('tick') : null,
    );
    const nodes = cluster().nodes;
    for (const node of nodes) await node.killNode();
    await sleep(4 * SECOND);
    for (const node of nodes) await node.launch('up', []);
    for (const node of nodes) await node.ready();
    await waitUntil('it to fire again', async () => ((await read('tick')).fired >= resumed.fired + 2 ? true : null));
    const after = await set('tick', { paused: true });
    expect(after.missed - resumed.missed).toBeGreaterThanOrEqual(3);
    const due = (await jobsOf('tick')).map(dueOf);
    expect(new Set(due).size).toBe(due.length);
    expect(after.firings.map(({ outcome }) => outcome)).toContain('missed');
    expect((await anyNode().http.send('DELETE', '/v1/schedules/tick', {})).status).toBe(204);
  }, 120_000);
});

describe('the overlap of a schedule', () => {
  it('skips while a job of it runs, and fires again after its end', async () => {
    const spec = { command: ['sleep', '1000'], resources: { cpu: 0.01 } };
    await create('long', { cron: '* * * * * *', spec });
    await waitUntil('a firing to be skipped', async () => ((await read('long')).skipped >= 2 ? true : null));
    const [job, ...others] = await jobsOf('long');
    expect(others).toEqual([]);
    await anyNode().cancel(job?.id ?? '');
    await waitUntil('it to fire again', async () => ((await read('long')).fired >= 2 ? true : null));
  });

  it('cancels the job of before, and lets the next one in once it has ended', async () => {
    await set('long', { overlap: 'cancelOther' });
    await waitUntil('a third job', async () => ((await jobsOf('long')).length >= 4 ? true : null));
    expectStatus(await anyNode().http.send('DELETE', '/v1/schedules/long', {}), 204);
    const jobs = (await jobsOf('long')).toSorted((a, b) => dueOf(a) - dueOf(b));
    const ends = await Promise.all(
      jobs.map(({ id }) =>
        anyNode()
          .cancel(id)
          .catch(() => anyNode().job(id)),
      ),
    );
    const finals = await Promise.all(ends.map(({ id }) => anyNode().waitFinal(id)));
    expect(new Set(finals.map(({ state }) => state))).toEqual(new Set(['cancelled']));
    for (const [i, next] of finals.slice(1).entries()) {
      expect(Date.parse(next.submittedAt)).toBeGreaterThanOrEqual(Date.parse(finals[i]?.finalAt ?? ''));
    }
  });
});

describe('the owner of a schedule', () => {
  it('takes its firings with it when its token is revoked, until another one takes it over', async () => {
    const request = { name: 'owner', scopes: ['jobs:read', 'jobs:write'] };
    const token = expectStatus(await anyNode().http.post('/v1/tokens', request), 201).json<CreatedToken>();
    const { http } = await cluster().node(0).requireFile();
    const owner = new NodeApi(`http://${http}`, token.token);
    await create('owned', { cron: '* * * * * *' }, owner);
    owner.close();
    await waitUntil('it to fire', async () => ((await read('owned')).fired > 0 ? true : null));
    expect((await jobsOf('owned'))[0]?.submittedBy).toBe('token:owner');
    expectStatus(await anyNode().http.send('DELETE', `/v1/tokens/${token.id}`, {}), 204);
    const told = await waitUntil('a refusal', async () => {
      const schedule = await read('owned');
      return schedule.refused > 0 ? schedule : null;
    });
    expect(told).toMatchObject({ state: 'active', lastError: { code: 'unauthenticated' } });
    const { fired } = await set('owned', {});
    await waitUntil('it to fire again', async () => ((await read('owned')).fired > fired ? true : null));
    expectStatus(await anyNode().http.send('DELETE', '/v1/schedules/owned', {}), 204);
  });

  it('is no job', async () => {
    const script = 'curl -s -o /dev/null -w "%{http_code}" -H "Authorization: Bearer $QUORATE_TOKEN"';
    const body = JSON.stringify({ name: 'mine', cron: '@daily', spec: { command: ['true'] } });
    const job = await anyNode().submit({
      command: ['sh', '-c', `${script} -d "$BODY" "\${QUORATE_URL%%,*}/v1/schedules"`],
      env: { BODY: body },
    });
    expect((await anyNode().waitFinal(job.id)).state).toBe('succeeded');
    expect(await anyNode().logs(job.id, 'stream=stdout')).toBe('403');
  });
});

describe('the command line', () => {
  it('makes, triggers, shows, pauses and deletes one', async () => {
    const { http } = await cluster().node(1).requireFile();
    const env = { QUORATE_URL: `http://${http}`, QUORATE_TOKEN: await cluster().adminToken() };
    const quorate = async (...words: string[]) => await runQuorate(['schedule', ...words], { env });
    const made = await quorate('create', 'cli', '--cron', '0 2 * * *', '--time-zone', 'Europe/Stockholm', '--', 'true');
    expect(made.stderr).toBe('');
    expect(made.stdout).toMatch(/cron +0 2 \* \* \* \(Europe\/Stockholm\)/);
    const triggered = await quorate('trigger', 'cli');
    expect((await anyNode().waitFinal(triggered.stdout.trim())).state).toBe('succeeded');
    expect((await quorate('show', 'cli')).stdout).toMatch(/by hand +fired/);
    expect(JSON.parse((await quorate('pause', 'cli', '--json')).stdout)).toMatchObject({ paused: true, next: [] });
    expect(await quorate('trigger', 'cli')).toMatchObject({ code: 4, stderr: expect.stringContaining('resume') });
    expect(await quorate('create', 'never', '--cron', '0 0 30 2 *', '--', 'true')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('cronNeverFires'),
    });
    expect((await quorate('delete', 'cli')).code).toBe(0);
    expect((await quorate('show', 'cli')).stderr).toContain('unknownSchedule');
  });
});
