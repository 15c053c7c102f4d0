import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Reports } from '../../../node/execution/reports.ts';
import type { AttemptKey, RunnerEvent } from '../../../node/runner/ports.ts';
import { Fault } from '../../../src/errors.ts';
import type { Incarnation, JobId, NodeId } from '../../../src/ids.ts';
import type { Command, CommandResult } from '../../../src/state/commands.ts';
import { ClusterState } from '../../../src/state/state.ts';

const INCARNATION = 'i1' as Incarnation;
const RUNNER = 'r' as NodeId;
const NOTHING = { cpuMilli: 0, memoryBytes: 0, gpu: 0, diskBytes: 0, custom: {} };
const started = (job: string): Extract<RunnerEvent, { kind: 'started' }> => ({
  kind: 'started',
  job: job as JobId,
  attempt: 1,
  at: 100,
});
const ended = (job: string): Extract<RunnerEvent, { kind: 'ended' }> => ({
  kind: 'ended',
  job: job as JobId,
  attempt: 1,
  startedAt: 100,
  endedAt: 200,
  end: { outcome: 'succeeded', exitCode: 0, signal: null, reason: null, usage: null },
  incarnation: INCARNATION,
});

const open: Reports[] = [];
afterEach(() => {
  for (const reports of open.splice(0)) reports.stop();
  vi.useRealTimers();
});

function setUp() {
  const proposed: Command[][] = [];
  const forgotten: AttemptKey[] = [];
  const behaviour = {
    answer: async (commands: readonly Command[]): Promise<CommandResult[]> => commands.map(() => ({ ok: true })),
  };
  const supervisor = { forget: (attempt: AttemptKey) => void forgotten.push(attempt) };
  const replica = {
    state: new ClusterState(),
    propose: (_by: unknown, commands: readonly Command[]) => {
      proposed.push([...commands]);
      return behaviour.answer(commands);
    },
  };
  const atWork = (count: number) => {
    const jobs = new Set(Array.from({ length: count }, (_, i) => `at work ${i}` as JobId));
    const record = { id: RUNNER, incarnation: INCARNATION, total: NOTHING, labels: {}, state: 'alive' } as never;
    replica.state.allocations.set(RUNNER, { record, lot: 0, free: NOTHING, jobs });
  };
  const reports = new Reports({ runner: RUNNER, replica, supervisor, logger: pino({ level: 'silent' }) });
  open.push(reports);
  return { reports, proposed, forgotten, behaviour, atWork };
}

describe('Reports', () => {
  it('tells the start and the end of a short job in one command', async () => {
    const { reports, proposed, forgotten } = setUp();
    reports.started(started('a'), INCARNATION);
    reports.ended(ended('a'), 'free');
    await expect.poll(() => forgotten).toEqual([{ job: 'a', attempt: 1 }]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(proposed).toEqual([[expect.objectContaining({ kind: 'ended', job: 'a', startedAt: 100 })]]);
  });

  it('tells the start of a job that goes on', async () => {
    const { reports, proposed } = setUp();
    reports.started(started('a'), INCARNATION);
    await expect
      .poll(() => proposed)
      .toEqual([[expect.objectContaining({ kind: 'started', incarnation: INCARNATION })]]);
  });

  it('proposes a start again until the log has taken it', async () => {
    const { reports, proposed, behaviour } = setUp();
    const { answer } = behaviour;
    behaviour.answer = async () => {
      if (proposed.length === 2) behaviour.answer = answer;
      throw new Fault('overloaded', 'too many wait');
    };
    reports.started(started('a'), INCARNATION);
    await expect.poll(() => proposed.length, { timeout: 20_000 }).toBe(3);
    const start = expect.objectContaining({ kind: 'started', job: 'a', incarnation: INCARNATION, at: 100 }) as Command;
    expect(proposed).toEqual([[start], [start], [start]]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(proposed).toHaveLength(3);
  });

  it('lets a start go that the state refused', async () => {
    const { reports, proposed, behaviour } = setUp();
    behaviour.answer = async () => [{ ok: false, code: 'staleAttempt', message: 'stale' }];
    reports.started(started('a'), INCARNATION);
    await expect.poll(() => proposed.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(proposed).toHaveLength(1);
  });

  it('proposes no start again whose end is there', async () => {
    const { reports, proposed, forgotten, behaviour } = setUp();
    const { answer } = behaviour;
    behaviour.answer = async () => {
      behaviour.answer = answer;
      throw new Fault('overloaded', 'too many wait');
    };
    reports.started(started('a'), INCARNATION);
    await expect.poll(() => proposed.length).toBe(1);
    reports.ended(ended('a'), 'free');
    await expect.poll(() => forgotten.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(proposed.map(([command]) => command?.kind)).toEqual(['started', 'ended']);
  });

  it('puts ends that come together into one proposal', async () => {
    const { reports, proposed, forgotten } = setUp();
    for (const job of ['a', 'b', 'c']) reports.ended(ended(job), 'free');
    await expect.poll(() => forgotten.length).toBe(3);
    expect(proposed).toHaveLength(1);
  });

  it('lets an end wait for others while many attempts are at work', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { reports, proposed, atWork } = setUp();
    atWork(8);
    reports.ended(ended('a'), 'free');
    await turn();
    await turn();
    expect(proposed).toEqual([]);
    reports.ended(ended('b'), 'free');
    await turn();
    await turn();
    expect(proposed.map((commands) => commands.length)).toEqual([2]);
    reports.ended(ended('c'), 'free');
    await turn();
    await turn();
    expect(proposed).toHaveLength(1);
    vi.advanceTimersByTime(3);
    await turn();
    await turn();
    expect(proposed.map((commands) => commands.length)).toEqual([2, 1]);
  });

  it('lets an end wait for longer whose room was taken over', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { reports, proposed, atWork } = setUp();
    atWork(4);
    reports.ended(ended('a'), 'passedOn');
    vi.advanceTimersByTime(7);
    await turn();
    expect(proposed).toEqual([]);
    vi.advanceTimersByTime(1);
    await turn();
    expect(proposed.map((commands) => commands.length)).toEqual([1]);
  });

  it('lets ends wait whose room was taken over, unless that of one of them stands empty', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { reports, proposed, atWork } = setUp();
    atWork(8);
    for (const job of ['a', 'b']) reports.ended(ended(job), 'passedOn');
    await turn();
    expect(proposed).toEqual([]);
    reports.ended(ended('c'), 'free');
    await turn();
    await turn();
    expect(proposed.map((commands) => commands.length)).toEqual([3]);
  });

  it('lets ends wait whose room was taken over until they are half of those at work', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { reports, proposed, atWork } = setUp();
    atWork(4);
    reports.ended(ended('a'), 'passedOn');
    await turn();
    expect(proposed).toEqual([]);
    reports.ended(ended('b'), 'passedOn');
    await turn();
    await turn();
    expect(proposed.map((commands) => commands.length)).toEqual([2]);
  });

  it('proposes one lot of ends at a time', async () => {
    const { reports, proposed, forgotten, behaviour } = setUp();
    const { answer } = behaviour;
    const first = Promise.withResolvers<CommandResult[]>();
    behaviour.answer = () => first.promise;
    reports.ended(ended('a'), 'free');
    await expect.poll(() => proposed.length).toBe(1);
    for (const job of ['b', 'c']) reports.ended(ended(job), 'free');
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(proposed).toHaveLength(1);
    behaviour.answer = answer;
    first.resolve([{ ok: true }]);
    await expect.poll(() => forgotten.length).toBe(3);
    expect(proposed.map((commands) => commands.length)).toEqual([1, 2]);
  });

  it('lets an end wait for no others while few attempts are at work', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { reports, proposed, atWork } = setUp();
    atWork(4);
    reports.ended(ended('a'), 'free');
    await turn();
    await turn();
    expect(proposed).toHaveLength(1);
  });

  it('proposes an end again until the log has taken it, and only then lets the runner forget it', async () => {
    const { reports, proposed, forgotten, behaviour } = setUp();
    const { answer } = behaviour;
    behaviour.answer = async () => {
      behaviour.answer = answer;
      throw new Fault('timedOut', 'no leader');
    };
    reports.ended(ended('a'), 'free');
    await expect.poll(() => proposed.length).toBe(1);
    expect(forgotten).toEqual([]);
    await expect.poll(() => forgotten).toEqual([{ job: 'a', attempt: 1 }]);
    expect(proposed).toHaveLength(2);
  });

  it('lets the runner forget an end that the state refused: an older attempt never counts', async () => {
    const { reports, forgotten, behaviour } = setUp();
    behaviour.answer = async () => [{ ok: false, code: 'staleAttempt', message: 'stale' }];
    reports.ended(ended('a'), 'free');
    await expect.poll(() => forgotten).toEqual([{ job: 'a', attempt: 1 }]);
  });

  it('proposes an end once, however often the runner tells it meanwhile', async () => {
    const { reports, proposed, forgotten, behaviour } = setUp();
    const gate = Promise.withResolvers<void>();
    behaviour.answer = async (commands) => {
      await gate.promise;
      return commands.map(() => ({ ok: true }));
    };
    reports.ended(ended('a'), 'free');
    await expect.poll(() => proposed.length).toBe(1);
    reports.ended(ended('a'), 'free');
    await new Promise((resolve) => setTimeout(resolve, 30));
    gate.resolve();
    await expect.poll(() => forgotten.length).toBe(1);
    expect(proposed).toHaveLength(1);
  });
});
