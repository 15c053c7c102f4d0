import { beforeEach, describe, expect, it } from 'vitest';
import {
  amounts,
  assign,
  assignBehind,
  cancel,
  createGroup,
  ended,
  FAILED,
  groupId,
  I1,
  I2,
  jobId,
  R1,
  R2,
  register,
  setQueue,
  START,
  started,
  submit,
  TestReplica,
} from '../builders.ts';

const OK = { ok: true };
const refused = (code: string) => expect.objectContaining({ ok: false, code });
const HALF = { resources: { cpu: 2 } };
const handBack = (n: number, index: number) => ({ kind: 'handBack', job: jobId(n), index }) as const;
const freeOf = (replica: TestReplica) => replica.state.allocations.get(R1)?.free.cpuMilli;

/** A runner of four processors that is full with jobs 1 and 2; jobs 3 to 6 are queued. */
let replica: TestReplica;
beforeEach(() => {
  replica = TestReplica.withRunner();
  for (let n = 1; n <= 6; n += 1) replica.local(submit(n, { spec: HALF }));
  replica.system(assign(1, 1), assign(2, 1));
});

describe('an assignment behind another', () => {
  it('takes no room, and that of the other in the entry in which the other ends', () => {
    expect(replica.system(assignBehind(3, 1))).toEqual([OK]);
    expect(replica.job(3)).toMatchObject({ state: 'assigned', current: { runner: R1, behind: { job: jobId(1) } } });
    expect(freeOf(replica)).toBe(0);
    expect(replica.system(ended(1, 1), assign(4, 1))).toEqual([OK, refused('conflict')]);
    expect(replica.job(3)).toMatchObject({ state: 'assigned', current: { runner: R1, incarnation: I1 } });
    expect(replica.job(3)).not.toHaveProperty('current.behind');
    expect(freeOf(replica)).toBe(0);
  });

  it('frees what it needs less than the other had', () => {
    replica.local(submit(7, { spec: { resources: { cpu: 0.5 } } }));
    replica.system(assignBehind(7, 1), ended(1, 1));
    expect(freeOf(replica)).toBe(1500);
  });

  it.each([
    ['lost with its runner process', register(R1, I2), 'queued'],
    ['failed and is tried again', ended(1, 1, FAILED), 'failed'],
  ])('moves on when the other is %s', (_, command, state) => {
    replica.system(assignBehind(3, 1), command);
    expect(replica.job(1).state).toBe(state);
    expect(replica.state.successors.size).toBe(0);
  });

  it('moves up in a line, whoever of it ends first', () => {
    expect(replica.system(assignBehind(3, 1), assignBehind(4, 3), assignBehind(5, 4))).toEqual([OK, OK, OK]);
    replica.system(ended(3, 1));
    expect(replica.job(4)).toHaveProperty('current.behind.job', jobId(1));
    expect(freeOf(replica)).toBe(0);
    replica.system(ended(1, 1));
    expect(replica.job(4)).not.toHaveProperty('current.behind');
    replica.system(ended(4, 1), ended(5, 1), ended(2, 1));
    expect(freeOf(replica)).toBe(4000);
  });

  it('stays behind when its start is told before the end of the other', () => {
    replica.system(assignBehind(3, 1), started(3, 1));
    expect(replica.job(3)).toMatchObject({ state: 'running', current: { behind: { job: jobId(1) } } });
    replica.system(ended(1, 1));
    expect(replica.job(3).state).toBe('running');
    expect(freeOf(replica)).toBe(0);
  });

  it('is refused behind one that is being cancelled: a job of higher priority may have been told of its room', () => {
    replica.local(cancel(1));
    expect(replica.system(assignBehind(3, 1))).toEqual([refused('conflict')]);
  });

  it('counts as one attempt, and as none while it may be handed back', () => {
    const attempts = () => replica.state.cluster?.totals?.started;
    const before = attempts() ?? 0;
    replica.system(assignBehind(3, 1));
    replica.system(handBack(3, replica.job(3).index));
    replica.system(assignBehind(3, 1), assignBehind(4, 3));
    expect(attempts()).toBe(before);
    replica.system(ended(4, 1));
    expect(attempts()).toBe(before + 1);
    replica.system(ended(1, 1));
    replica.system(ended(3, 1));
    expect(attempts()).toBe(before + 2);
  });

  it.each([
    ['one that has nobody there', assignBehind(3, 4)],
    ['one at another runner', assignBehind(3, 1, 1, R2)],
    ['one that has another behind it', assignBehind(4, 1)],
    ['one that has less room', assignBehind(7, 1)],
  ])('is refused behind %s', (_, command) => {
    replica.system(register(R2, I1));
    replica.local(submit(7, { spec: { resources: { cpu: 3 } } }));
    if (command.kind === 'assign' && command.job === jobId(4)) replica.system(assignBehind(3, 1));
    expect(replica.system(command)).toEqual([refused('conflict')]);
  });

  it('is refused by a runner that is draining, that does not meet the constraints, or that came back smaller', () => {
    replica.local(submit(7, { spec: { constraints: ['os == plan9'] } }));
    expect(replica.system(assignBehind(7, 1))).toEqual([refused('conflict')]);
    replica.system(register(R1, I1, amounts({ cpuMilli: 1000 })));
    expect(replica.system(assignBehind(3, 1))).toEqual([refused('conflict')]);
    replica.local({ kind: 'drainRunner', runner: R1, mode: 'drain' });
    expect(replica.system(assignBehind(3, 1))).toEqual([refused('wrongState')]);
  });

  it('counts for the limits of its queue', () => {
    replica.local(setQueue('default', { limits: { running: 3, cpuMilli: null, memoryBytes: null } }));
    expect(replica.system(assignBehind(3, 1), assignBehind(4, 2))).toEqual([OK, refused('conflict')]);
  });

  it('is lost with the runner, like any other: it may have begun', () => {
    replica.local(submit(7, { spec: { ...HALF, retry: 'never' } }));
    replica.system(assignBehind(7, 1), { kind: 'loseRunner', runner: R1, incarnation: I1 });
    expect(replica.job(7).state).toBe('lost');
  });

  it('is stopped like any other', () => {
    replica.system(assignBehind(3, 1));
    replica.local(cancel(3));
    expect(replica.job(3)).toMatchObject({ state: 'assigned', cancel: { by: 'local' } });
    replica.system(ended(3, 1));
    expect(replica.job(3).state).toBe('cancelled');
  });
});

describe('handBack', () => {
  it('puts the job where it stood in the queue', () => {
    replica.at += 5_000;
    replica.system(assignBehind(3, 1), assignBehind(4, 3));
    replica.at += 5_000;
    expect(replica.system(handBack(3, replica.index))).toEqual([OK]);
    expect(replica.job(3)).toMatchObject({ state: 'queued', queuedAt: START, past: [] });
    expect([...replica.state.queue.all()].map(({ sequence }) => sequence).toSorted((a, b) => a - b)).toEqual([3, 5, 6]);
    expect(replica.job(4)).toHaveProperty('current.behind.job', jobId(1));
    expect(replica.system(assign(3, 1))).toEqual([refused('conflict')]);
  });

  it('is refused for a job that has changed since: it may run by now', () => {
    replica.system(assignBehind(3, 1));
    const seen = replica.index;
    replica.system(handBack(3, seen), assignBehind(3, 1));
    expect(replica.system(handBack(3, seen))).toEqual([refused('conflict')]);
    replica.system(ended(1, 1));
    expect(replica.system(handBack(3, replica.job(3).index))).toEqual([refused('wrongState')]);
  });

  it('is refused for one that has begun, or that is behind nobody', () => {
    replica.system(assignBehind(3, 1), started(3, 1));
    expect(replica.system(handBack(3, replica.job(3).index))).toEqual([refused('wrongState')]);
    expect(replica.system(handBack(2, replica.job(2).index))).toEqual([refused('wrongState')]);
    expect(replica.system(handBack(5, replica.job(5).index))).toEqual([refused('wrongState')]);
  });

  it('ends a job that is to be cancelled', () => {
    replica.system(assignBehind(3, 1));
    replica.local(cancel(3));
    replica.system(handBack(3, replica.job(3).index));
    expect(replica.job(3)).toMatchObject({ state: 'cancelled', past: [] });
  });

  it('gives its turn in a group to another, and waits for the next', () => {
    replica.local(createGroup(1, { maxRunning: 1 }));
    const spec = { ...HALF, group: groupId(1) };
    replica.local(submit(7, { spec }), submit(8, { spec }));
    replica.system(assignBehind(7, 1));
    expect(replica.job(8)).toMatchObject({ state: 'waiting', why: 'group' });
    replica.system(handBack(7, replica.job(7).index));
    expect([replica.job(7).state, replica.job(8).state].toSorted()).toEqual(['queued', 'waiting']);
  });
});
