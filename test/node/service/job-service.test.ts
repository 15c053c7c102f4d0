import { describe, expect, it } from 'vitest';
import type { Replica } from '../../../node/replica/replica.ts';
import { JobService } from '../../../node/service/job-service.ts';
import type { JobStore } from '../../../node/service/job-store.ts';
import { JobWatch } from '../../../node/service/job-watch.ts';
import type { Identity } from '../../../src/auth.ts';
import { type JobId, lineId } from '../../../src/ids.ts';
import type { Job } from '../../../src/jobs/job.ts';
import type { Command } from '../../../src/state/commands.ts';
import { ClusterState } from '../../../src/state/state.ts';
import { assign, cancel, ended, jobId, submit, TestReplica } from '../../src/builders.ts';

const IDENTITY: Identity = { principal: { id: 'local', token: null, kind: 'local' }, scopes: ['admin'] };

/** There is room. */
const ROOM = { expectRoom: () => undefined };

function setUp() {
  const proposed: (readonly Command[])[] = [];
  const replica = {
    state: new ClusterState(),
    propose: async (_by: unknown, commands: readonly Command[]) => {
      proposed.push(commands);
      return commands.map(() => ({ ok: true as const }));
    },
  } as unknown as Replica;
  const jobs = new JobService({ replica, jobs: {} as JobStore, watch: new JobWatch(), room: ROOM, loadOf: () => 0 });
  const submit = (count: number, stdin: string) =>
    jobs.submit(
      IDENTITY,
      Array.from({ length: count }, () => ({ spec: { command: ['cat'], stdin }, idempotency: null })),
    );
  return { proposed, submit };
}

describe('JobService', () => {
  it('proposes small jobs that come together in one breath', async () => {
    const { proposed, submit } = setUp();
    await submit(512, 'x');
    expect(proposed.map((commands) => commands.length)).toEqual([512]);
  });

  it('proposes large ones in parts, and answers each in its place', async () => {
    const { proposed, submit } = setUp();
    const results = await submit(9, 'x'.repeat(200 * 1024));
    expect(proposed.map((commands) => commands.length)).toEqual([5, 4]);
    const ids = proposed.flat().map((command) => (command.kind === 'submit' ? command.id : null));
    expect(results).toEqual(ids.map((id) => ({ ok: true, id, existed: false })));
  });
});

/** Over a state machine of its own: what is final is on its disk. */
function setUpState() {
  const replica = TestReplica.withRunner();
  let barriers = 0;
  const looked: JobId[] = [];
  const proposed: (readonly Command[])[] = [];
  /** Called before each proposal is applied. */
  const before: (() => void)[] = [];
  const jobs = new JobService({
    replica: {
      state: replica.state,
      barrier: async () => void (barriers += 1),
      propose: async (_by: unknown, commands: readonly Command[]) => {
        await Promise.resolve();
        before.shift()?.();
        proposed.push(commands);
        return replica.local(...commands);
      },
    } as unknown as Replica,
    jobs: {
      find: async (id: JobId) => {
        looked.push(id);
        return (replica.disk.get(`job ${id}`)?.value ?? null) as Job | null;
      },
    } as unknown as JobStore,
    watch: new JobWatch(),
    room: ROOM,
    loadOf: () => 0,
  });
  const item = (n: number, ...on: readonly number[]) => ({
    id: jobId(n),
    spec: { command: ['true'], dependsOn: on.map((job) => ({ job: jobId(job) })) },
    idempotency: null,
  });
  const end = (n: number) => void replica.system(assign(n, 1), ended(n, 1));
  return { replica, jobs, item, end, before, proposed, looked, barriers: () => barriers };
}

describe('a job that depends on others', () => {
  it('is taken without a look at those that are not final or come with it', async () => {
    const { jobs, item, replica, barriers, looked } = setUpState();
    await jobs.submit(IDENTITY, [item(1)]);
    const first = jobs.submit(IDENTITY, [item(2, 1), item(3, 2)]);
    const second = jobs.submit(IDENTITY, [item(4, 3, 1)]);
    expect([...(await first), ...(await second)].every(({ ok }) => ok)).toBe(true);
    expect([barriers(), looked]).toEqual([0, []]);
    expect(replica.job(4)).toMatchObject({ state: 'waiting', missing: [jobId(3), jobId(1)] });
  });

  it('goes by the end of one that was final before', async () => {
    const { jobs, item, end, replica, barriers, proposed } = setUpState();
    await jobs.submit(IDENTITY, [item(1)]);
    end(1);
    expect(await jobs.submit(IDENTITY, [item(2, 1)])).toEqual([{ ok: true, id: jobId(2), existed: false }]);
    expect([barriers(), proposed.length]).toEqual([1, 2]);
    expect(replica.job(2).state).toBe('assigned');
  });

  it('is proposed again, with those behind it, when one ends in the moment of its submission', async () => {
    const { jobs, item, end, before, proposed } = setUpState();
    await jobs.submit(IDENTITY, [item(1)]);
    before.push(() => end(1));
    const results = await jobs.submit(IDENTITY, [item(2, 1), item(3), item(4, 2), item(5, 9)]);
    expect(results).toMatchObject([
      { ok: true, id: jobId(2) },
      { ok: true, id: jobId(3) },
      { ok: true, id: jobId(4) },
      { ok: false, code: 'unknownDependency' },
    ]);
    expect(proposed.slice(1).map((commands) => commands.length)).toEqual([4, 2]);
  });

  it('is not proposed again when there is none of that id', async () => {
    const { jobs, item, proposed } = setUpState();
    const results = await jobs.submit(IDENTITY, [item(1, 9), item(2, 1)]);
    expect(results.map((result) => result.ok || result.code)).toEqual(['unknownDependency', 'unknownDependency']);
    expect(proposed).toHaveLength(1);
  });

  it('learns nothing of the ends of others when a job asks for its child', async () => {
    const { jobs, item, end, replica } = setUpState();
    await jobs.submit(IDENTITY, [item(1), item(2)]);
    end(1);
    replica.local(submit(3, { spec: { parent: jobId(2) } }), cancel(3));
    const asJob: Identity = {
      principal: { id: 'job', token: null, kind: 'job', job: { id: jobId(2), attempt: 1 } },
      scopes: [],
    };
    const results = await jobs.submit(asJob, [item(4, 1), item(5, 3)]);
    expect(results).toMatchObject([{ ok: false, code: 'unknownDependency' }, { ok: true }]);
  });
});

describe('a batch that is sent again under its key', () => {
  const itemOf = (base: JobId, line: number, name: string) => ({
    id: lineId(base, line),
    spec: { command: ['true'], name },
    idempotency: null,
    batch: { key: 'k', line, base },
  });

  it('is counted from where it was counted the first time', async () => {
    const { jobs } = setUpState();
    const base = await jobs.batchBase(IDENTITY, 'k');
    await jobs.submit(IDENTITY, [itemOf(base, 1, 'a')]);
    expect(await jobs.batchBase(IDENTITY, 'k')).toBe(base);
    expect(await jobs.batchBase(IDENTITY, 'other')).not.toBe(base);
  });

  it('is answered with its jobs, but for lines that are others now and jobs that are gone', async () => {
    const { jobs, replica } = setUpState();
    const base = jobId(0);
    await jobs.submit(IDENTITY, [itemOf(base, 1, 'a'), itemOf(base, 2, 'b'), itemOf(base, 3, 'c')]);
    replica.local(cancel(3));
    replica.disk.delete(`job ${jobId(3)}`);
    const again = await jobs.submit(IDENTITY, [
      itemOf(base, 1, 'a'),
      itemOf(base, 2, 'x'),
      itemOf(base, 3, 'c'),
      itemOf(base, 4, 'd'),
    ]);
    expect(again).toMatchObject([
      { ok: true, id: jobId(1), existed: true },
      { ok: false, code: 'idempotencyConflict', field: 'Idempotency-Key' },
      { ok: false, code: 'gone', field: 'Idempotency-Key' },
      { ok: true, id: jobId(4), existed: false },
    ]);
  });
});
