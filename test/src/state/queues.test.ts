import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/limits.ts';
import { placeOne, schedule } from '../../../src/scheduling/place.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import { assign, bearer, createToken, ended, I1, jobId, R1, setQueue, submit, TestReplica } from '../builders.ts';

const DONE = { ok: true };
const refused = (code: string) => expect.objectContaining({ ok: false, code });
const AT_R1 = { runner: R1, incarnation: I1 };
const NONE = { running: null, cpuMilli: null, memoryBytes: null };
const random = () => 0;

const inQueue = (n: number, queue: string, rest = {}) => submit(n, { spec: { queue, ...rest } });
const scheduled = ({ state }: TestReplica) => schedule(state, { limit: 100, random }).map(({ job }) => job);

describe('a queue', () => {
  it('is as by default until something is set, keeps what is left out, and is so again when it is reset', () => {
    const replica = TestReplica.founded();
    replica.local(setQueue('nightly', { weight: 3, limits: { running: 5 } }));
    replica.local(setQueue('nightly', { limits: { cpuMilli: 2000 }, strategy: 'pack' }));
    const set = {
      weight: 3,
      state: 'open',
      strategy: 'pack',
      preemption: 'off',
      limits: { ...NONE, running: 5, cpuMilli: 2000 },
    };
    expect(replica.state.queues.get('nightly')).toEqual({ ...set, projectLimits: NONE, index: replica.index });
    replica.reload();
    replica.local(setQueue('nightly', { limits: { running: null } }));
    expect(replica.state.queues.get('nightly')?.limits).toEqual({ ...NONE, cpuMilli: 2000 });
    expect(replica.local({ kind: 'resetQueue', name: 'nightly' }, { kind: 'resetQueue', name: 'other' })).toEqual([
      DONE,
      DONE,
    ]);
    expect(replica.disk.get('queue nightly')?.value).toBe(null);
    replica.reload();
    expect(replica.state.queues.size).toBe(0);
  });

  it.each([
    { weight: 0 },
    { weight: 1.5 },
    { weight: LIMITS.queueWeightMax + 1 },
    { state: 'closed' },
    { strategy: 'random' },
    { limits: { running: -1 } },
    { limits: { gpu: 1 } },
    { projectLimits: null },
    { colour: 'red' },
  ])('is not set to %j', (change) => {
    const replica = TestReplica.founded();
    expect(replica.local(setQueue('q', change as never))).toEqual([refused('invalidRequest')]);
  });

  it('is changed by those who may change the cluster', () => {
    const replica = new TestReplica();
    replica.system(
      { kind: 'createCluster', clusterId: 'cluster', auth: 'required' },
      createToken('jobs', ['jobs:read', 'jobs:write']),
      createToken('cluster', ['cluster:write']),
    );
    expect(replica.propose(bearer('jobs'), [setQueue('q', { weight: 2 })])).toEqual([refused('forbidden')]);
    expect(replica.propose(bearer('cluster'), [setQueue('q', { weight: 2 })])).toEqual([DONE]);
  });
});

describe('a paused queue', () => {
  it('starts nothing, lets what runs go on, and starts again', () => {
    const replica = TestReplica.withRunner();
    replica.local(inQueue(1, 'q'), inQueue(2, 'q'));
    replica.system(assign(1, 1));
    replica.local(setQueue('q', { state: 'paused' }));
    expect(scheduled(replica)).toEqual([]);
    expect(replica.system(assign(2, 1))).toEqual([refused('wrongState')]);
    replica.local(submit(3, { spec: { queue: 'q' }, placement: AT_R1 }));
    expect([1, 2, 3].map((n) => replica.job(n).state)).toEqual(['assigned', 'queued', 'queued']);
    expect(replica.system(ended(1, 1))).toEqual([DONE]);
    replica.local(setQueue('q', { state: 'open' }));
    expect(replica.last.events).toMatchObject([{ kind: 'queue', name: 'q', queue: { state: 'open' } }]);
    expect(scheduled(replica)).toEqual([jobId(2), jobId(3)]);
  });

  it('does not keep jobs of other queues from the fast path', () => {
    const replica = TestReplica.withRunner();
    replica.local(setQueue('q', { state: 'paused' }), inQueue(1, 'q', { priority: 99 }));
    expect(placeOne(replica.state, planOf({ command: ['x'] }), random)).toEqual(AT_R1);
    replica.local(submit(2, { placement: AT_R1 }));
    expect(replica.job(2).state).toBe('assigned');
  });
});

describe('a limit', () => {
  it.each([
    [{ running: 2 }, {}, 2],
    [{ cpuMilli: 1500 }, {}, 1],
    [{ memoryBytes: 2 ** 30 }, { resources: { memory: '300MiB', cpu: 0 } }, 3],
    [{ running: 0 }, {}, 0],
  ])('of a queue, %j, holds against jobs of %j', (limits, rest, most) => {
    const replica = TestReplica.withRunner();
    replica.local(
      setQueue('q', { limits }),
      ...[1, 2, 3, 4].map((n) => inQueue(n, 'q', { project: `p${n}`, ...rest })),
    );
    const commands = schedule(replica.state, { limit: 100, random });
    expect(commands).toHaveLength(most);
    expect(replica.system(...commands).every(({ ok }) => ok)).toBe(true);
    const next = replica.system(assign(most + 1, 1));
    expect(next).toEqual([refused('conflict')]);
    replica.local(submit(9, { spec: { queue: 'q', ...rest }, placement: AT_R1 }));
    expect(replica.job(9).state).toBe('queued');
  });

  it('of projects holds for each by itself', () => {
    const replica = TestReplica.withRunner();
    replica.local(
      setQueue('q', { projectLimits: { running: 1 } }),
      inQueue(1, 'q', { project: 'a' }),
      inQueue(2, 'q', { project: 'a' }),
      inQueue(3, 'q', { project: 'b' }),
      submit(4, { spec: { project: 'a' } }),
    );
    expect(scheduled(replica).toSorted()).toEqual([jobId(1), jobId(3), jobId(4)]);
  });

  it('lets the next through with the end of one, in the same breath', () => {
    const replica = TestReplica.withRunner();
    replica.local(setQueue('q', { limits: { running: 1 } }), inQueue(1, 'q'), inQueue(2, 'q'));
    replica.system(assign(1, 1));
    expect(scheduled(replica)).toEqual([]);
    const ending = [planOf({ command: ['x'], queue: 'q' })];
    expect(schedule(replica.state, { limit: 1, random, ending })).toMatchObject([{ job: jobId(2) }]);
    expect(replica.system(ended(1, 1), assign(2, 1))).toEqual([DONE, DONE]);
  });

  it('lets smaller jobs of the queue pass one that would pass it', () => {
    const replica = TestReplica.withRunner();
    replica.local(
      setQueue('q', { limits: { cpuMilli: 2000 } }),
      inQueue(1, 'q', { resources: { cpu: 3 } }),
      inQueue(2, 'q'),
    );
    expect(scheduled(replica)).toEqual([jobId(2)]);
  });
});

describe('the number of queues that are set', () => {
  it('is limited', () => {
    const replica = TestReplica.founded();
    replica.local(...Array.from({ length: LIMITS.queues }, (_, n) => setQueue(`q${n}`, { weight: 2 })));
    expect(replica.local(setQueue('more', { weight: 2 }), setQueue('q1', { weight: 3 }))).toEqual([
      refused('tooManyRequests'),
      DONE,
    ]);
  });
});
