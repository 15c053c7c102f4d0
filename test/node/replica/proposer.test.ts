import { afterEach, describe, expect, it } from 'vitest';
import { REPLICA_LIMITS, REPLICA_TIMES, type ReplicaTimes } from '../../../node/replica/limits.ts';
import { Proposer, type ProposalPort } from '../../../node/replica/proposer.ts';
import { SYSTEM_RUNTIME } from '../../../node/system-runtime.ts';
import { SYSTEM } from '../../../src/auth.ts';
import { Fault } from '../../../src/errors.ts';
import type { JobId, NodeId } from '../../../src/ids.ts';
import { decodeEntry } from '../../../src/state/codec.ts';
import type { Command } from '../../../src/state/commands.ts';

const CANCEL: Command = { kind: 'cancel', job: 'j' as JobId, mode: 'any' };
const OTHER = 'other' as NodeId;

/** Consensus and network as the proposer sees them, under the test's control. */
class FakePort implements ProposalPort {
  role: 'leader' | 'follower' | 'leaderless' = 'leader';
  persisting = false;
  answer: 'taken' | 'refused' | 'broken' = 'taken';
  readonly appended: { readonly id: number; readonly entry: Uint8Array }[] = [];
  readonly forwarded: (readonly Uint8Array[])[] = [];
  #requests = 0;

  leader(): NodeId | null {
    return this.role === 'leaderless' ? null : this.role === 'leader' ? ('self' as NodeId) : OTHER;
  }
  isLeader(): boolean {
    return this.role === 'leader';
  }
  persistInFlight(): boolean {
    return this.persisting;
  }
  nextRequest(): number {
    this.#requests += 1;
    return this.#requests;
  }
  append(id: number, entry: Uint8Array): void {
    this.appended.push({ id, entry });
  }
  async forward(_to: NodeId, proposals: readonly Uint8Array[]): Promise<'taken' | 'refused'> {
    this.forwarded.push(proposals);
    if (this.answer === 'broken') throw new Fault('peerUnreachable', 'broken');
    return this.answer;
  }
  proposalsIn(entry: number): readonly { readonly origin: string; readonly sequence: number }[] {
    const appended = this.appended[entry];
    return appended === undefined ? [] : decodeEntry(appended.entry).proposals;
  }
}

const open: Proposer[] = [];
afterEach(() => {
  for (const proposer of open.splice(0)) proposer.stop(new Fault('stopping', 'the test is over'));
});

function setUp(times: Partial<ReplicaTimes> = {}) {
  const port = new FakePort();
  const proposer = new Proposer(port, SYSTEM_RUNTIME, {
    origin: 'me',
    limits: REPLICA_LIMITS,
    times: { ...REPLICA_TIMES, ...times },
  });
  open.push(proposer);
  const propose = (): Promise<unknown> => {
    const result = proposer.propose(SYSTEM, [CANCEL]);
    result.catch(() => undefined);
    return result;
  };
  return { port, proposer, propose };
}

const result = (sequence: number, origin = 'me') => ({ origin, sequence, results: [{ ok: true as const }] });

describe('Proposer', () => {
  it('puts what arrives together into one entry', async () => {
    const { port, propose } = setUp();
    for (let i = 0; i < 10; i += 1) void propose();
    await expect.poll(() => port.appended.length).toBe(1);
    expect(port.proposalsIn(0).map((proposal) => proposal.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('lets proposals gather while a sync is under way, and sends them when it is done', async () => {
    const { port, proposer, propose } = setUp();
    port.persisting = true;
    void propose();
    void propose();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(port.appended).toHaveLength(0);
    port.persisting = false;
    proposer.persisted();
    await expect.poll(() => port.appended.length).toBe(1);
    expect(port.proposalsIn(0)).toHaveLength(2);
  });

  it('answers only from apply, to the proposal of its own origin', async () => {
    const { port, proposer, propose } = setUp();
    const answer = propose();
    await expect.poll(() => port.appended.length).toBe(1);
    proposer.results(result(1, 'somebody else'));
    proposer.results(result(1));
    await expect(answer).resolves.toEqual([{ ok: true }]);
  });

  it('forwards to the leader when it does not lead', async () => {
    const { port, propose } = setUp();
    port.role = 'follower';
    void propose();
    await expect.poll(() => port.forwarded.length).toBe(1);
    expect(port.appended).toHaveLength(0);
  });

  it.each(['refused', 'broken'] as const)('forwards again when a forward was %s', async (answer) => {
    const { port, propose } = setUp();
    port.role = 'follower';
    port.answer = answer;
    void propose();
    await expect.poll(() => port.forwarded.length).toBeGreaterThan(2);
  });

  it('proposes again what has no result when the leader changes', async () => {
    const { port, proposer, propose } = setUp();
    port.role = 'follower';
    void propose();
    await expect.poll(() => port.forwarded.length).toBe(1);
    port.role = 'leader';
    proposer.leaderChanged();
    await expect.poll(() => port.appended.length).toBe(1);
    expect(port.proposalsIn(0)).toMatchObject([{ origin: 'me', sequence: 1 }]);
  });

  it('proposes again what the core refused', async () => {
    const { port, proposer, propose } = setUp();
    void propose();
    await expect.poll(() => port.appended.length).toBe(1);
    proposer.refused({ id: port.appended[0]?.id ?? 0, reason: 'uncommittedLimit', leader: null });
    await expect.poll(() => port.appended.length).toBe(2);
  });

  it('proposes again what got no result in time: the message may be lost', async () => {
    const { port, propose } = setUp();
    void propose();
    await expect.poll(() => port.appended.length, { timeout: 5_000 }).toBe(2);
    expect(port.proposalsIn(1)).toMatchObject([{ origin: 'me', sequence: 1 }]);
  });

  it('fills its own log with no copies of what stands in it, however long the commit takes', async () => {
    const { port, proposer, propose } = setUp();
    void propose();
    await expect.poll(() => port.appended.length).toBe(1);
    proposer.accepted(port.appended[0]?.id ?? 0);
    await new Promise((resolve) => setTimeout(resolve, 1_600));
    expect(port.appended).toHaveLength(1);
    proposer.leaderChanged();
    await expect.poll(() => port.appended.length).toBe(2);
  });

  it('takes what others forward only while it leads', async () => {
    const { port, proposer } = setUp();
    expect(proposer.takeForwarded([new Uint8Array([1])])).toBe('taken');
    port.role = 'follower';
    expect(proposer.takeForwarded([new Uint8Array([1])])).toBe('refused');
  });

  it('refuses beyond its limit and lets nobody wait once it is stopped', async () => {
    const { proposer, propose } = setUp();
    const waiting = propose();
    proposer.stop(new Fault('stopping', 'stopping'));
    await expect(waiting).rejects.toMatchObject({ code: 'stopping' });
    await expect(propose()).rejects.toMatchObject({ code: 'stopping' });
  });

  it('tries an entry that the core refuses again after a pause, not in every turn', async () => {
    const { port, proposer, propose } = setUp();
    const append = port.append.bind(port);
    port.append = (id, entry) => {
      append(id, entry);
      proposer.refused({ id, reason: 'leadershipTransfer', leader: null });
    };
    void propose();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(port.appended.length).toBeGreaterThan(1);
    expect(port.appended.length).toBeLessThan(10);
  });

  it('does not wait for the answer of the leader before when there is a new one', async () => {
    const { port, proposer, propose } = setUp();
    port.role = 'follower';
    port.forward = (_to, proposals) => {
      port.forwarded.push(proposals);
      return new Promise(() => undefined);
    };
    void propose();
    await expect.poll(() => port.forwarded.length).toBe(1);
    proposer.leaderChanged();
    await expect.poll(() => port.forwarded.length, { timeout: 500 }).toBe(2);
  });

  it('takes nothing of others once it is stopped', () => {
    const { proposer } = setUp();
    proposer.stop(new Fault('stopping', 'the node stops'));
    expect(proposer.takeForwarded([new Uint8Array(1)])).toBe('refused');
  });

  it('refuses a proposal that could not be sent to the others as one entry', async () => {
    const { port, proposer } = setUp();
    const job = 'j'.repeat(17 * 1024 * 1024) as JobId;
    await expect(proposer.propose(SYSTEM, [{ ...CANCEL, job }])).rejects.toMatchObject({ code: 'tooLarge' });
    expect(port.appended).toEqual([]);
  });

  it('are given up where no leader is known, and told so: they were surely not taken', async () => {
    const { port, propose } = setUp({ reproposeMs: 20, leaderlessMs: 30 });
    port.role = 'leaderless';
    await expect(propose()).rejects.toMatchObject({ code: 'noLeader' });
    port.role = 'leader';
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(port.appended).toEqual([]);
  });

  it('that went to a leader once are not given up when it is gone: they may have been taken', async () => {
    const { port, propose } = setUp({
      reproposeMs: 20,
      leaderlessMs: 1,
      proposalDeadlineMs: 150,
    });
    const result = propose();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(port.appended).toHaveLength(1);
    port.role = 'leaderless';
    await expect(result).rejects.toMatchObject({ code: 'timedOut' });
  });
});
