import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Leases } from '../../../node/leader/leases.ts';
import { LEADER_TIMES } from '../../../node/leader/limits.ts';
import type { Incarnation, NodeId } from '../../../src/ids.ts';
import type { Command } from '../../../src/state/commands.ts';
import { ClusterState } from '../../../src/state/state.ts';

const RUNNER = 'r' as NodeId;
const FIRST = 'i1' as Incarnation;
const SECOND = 'i2' as Incarnation;
const LOST_AFTER_MS = 1_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function register(state: ClusterState, incarnation: Incarnation): void {
  const total = { cpuMilli: 1000, memoryBytes: 0, gpu: 0, diskBytes: 0, custom: {} };
  state.runners.set(RUNNER, { id: RUNNER, incarnation, total, labels: {}, state: 'ready', registeredAt: 0 });
}

function setUp() {
  const state = new ClusterState();
  const proposed: Command[] = [];
  const propose = async (_by: unknown, commands: readonly Command[]) => {
    proposed.push(...commands);
    return commands.map(() => ({ ok: true as const }));
  };
  const leases = new Leases({ state, propose }, pino({ level: 'silent' }), { lostAfterMs: LOST_AFTER_MS });
  register(state, FIRST);
  const pass = async (ms: number): Promise<void> => {
    vi.advanceTimersByTime(ms);
    await leases.review();
  };
  return { leases, state, proposed, pass };
}

describe('Leases', () => {
  it('loses a runner that does not renew, under the incarnation that was silent', async () => {
    const { leases, proposed, pass } = setUp();
    leases.start();
    await pass(0);
    await pass(LOST_AFTER_MS - 1);
    expect(proposed).toEqual([]);
    await pass(2);
    expect(proposed).toEqual([{ kind: 'loseRunner', runner: RUNNER, incarnation: FIRST }]);
  });

  it('keeps a runner that renews', async () => {
    const { leases, proposed, pass } = setUp();
    leases.start();
    await pass(0);
    for (let i = 0; i < 5; i += 1) {
      await pass(LOST_AFTER_MS / 2);
      expect(leases.renew(RUNNER, FIRST)).toBe('renewed');
    }
    expect(proposed).toEqual([]);
  });

  it('gives everyone the full time anew when it begins to lead', async () => {
    const { leases, proposed, pass } = setUp();
    leases.start();
    await pass(0);
    await pass(LOST_AFTER_MS - 1);
    leases.stop();
    leases.start();
    await pass(0);
    await pass(LOST_AFTER_MS - 1);
    expect(proposed).toEqual([]);
  });

  it('gives a new incarnation a time of its own', async () => {
    const { leases, state, proposed, pass } = setUp();
    leases.start();
    await pass(0);
    await pass(LOST_AFTER_MS - 1);
    register(state, SECOND);
    await pass(LOST_AFTER_MS - 1);
    expect(proposed).toEqual([]);
  });

  it('does not renew an incarnation that is not the current one, nor anything while it does not lead', () => {
    const { leases } = setUp();
    expect(leases.renew(RUNNER, FIRST)).toBe('notLeader');
    leases.start();
    expect(leases.renew(RUNNER, SECOND)).toBe('unknown');
    expect(leases.renew('stranger' as NodeId, FIRST)).toBe('unknown');
  });

  it('renews nothing when it stood still, until a review has come in time again', async () => {
    const { leases, pass } = setUp();
    leases.start();
    await pass(LEADER_TIMES.reviewMs);
    expect(leases.renew(RUNNER, FIRST)).toBe('renewed');
    vi.advanceTimersByTime(2 * LEADER_TIMES.reviewMs + 1);
    expect(leases.renew(RUNNER, FIRST)).toBe('notLeader');
    await pass(0);
    expect(leases.renew(RUNNER, FIRST)).toBe('notLeader');
    await pass(LEADER_TIMES.reviewMs);
    expect(leases.renew(RUNNER, FIRST)).toBe('renewed');
  });
});
