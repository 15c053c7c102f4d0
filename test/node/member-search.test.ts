import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MEMBER_SEARCH_TIMES, MemberSearch } from '../../node/member-search.ts';
import type { KnownMembers } from '../../node/membership.ts';
import type { NodeId } from '../../src/ids.ts';

const B = 'b' as NodeId;
const D = 'd' as NodeId;
const E = 'e' as NodeId;
const { leaderlessMs, believedMs, reviewMs } = MEMBER_SEARCH_TIMES;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const cluster = {
    leader: null as NodeId | null,
    connected: [B] as NodeId[],
    told: new Map<NodeId, KnownMembers>([[B, new Map([[D, ['/d']]])]]),
    asked: [] as NodeId[],
  };
  const replica = {
    get leader() {
      return cluster.leader;
    },
    askMembers: async (of: NodeId) => {
      cluster.asked.push(of);
      const answer = cluster.told.get(of);
      if (answer === undefined) throw new Error('no answer');
      return answer;
    },
  };
  const found: string[][] = [];
  const search = new MemberSearch(
    { replica, network: { connected: () => cluster.connected }, logger: pino({ level: 'silent' }) },
    (members) => found.push([...members.keys()].toSorted()),
  );
  search.start();
  return { cluster, found, search, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

describe('MemberSearch', () => {
  it('asks a connected member for the members once no leader was known for a while', async () => {
    const { cluster, found, pass } = setUp();
    await pass(leaderlessMs);
    expect(cluster.asked).toEqual([]);
    await pass(reviewMs);
    expect(found).toEqual([[D]]);
  });

  it('asks nobody while a leader is known', async () => {
    const { cluster, pass } = setUp();
    cluster.leader = B;
    await pass(10 * leaderlessMs);
    cluster.leader = null;
    await pass(leaderlessMs - reviewMs);
    expect(cluster.asked).toEqual([]);
  });

  it('asks one after another, and believes what all of them told', async () => {
    const { cluster, found, pass } = setUp();
    cluster.connected = [B, D, E];
    cluster.told.set(E, new Map([[E, ['/e']]]));
    await pass(leaderlessMs + 3 * reviewMs);
    expect(cluster.asked).toEqual([B, D, E]);
    expect(found.at(-1)).toEqual([D, E]);
  });

  it('believes it for a while after a leader was found, and the leader as long as it leads', async () => {
    const { cluster, found, pass } = setUp();
    cluster.told.set(
      B,
      new Map([
        [D, ['/d']],
        [E, ['/e']],
      ]),
    );
    await pass(leaderlessMs + reviewMs);
    cluster.leader = D;
    await pass(believedMs - 2 * reviewMs);
    expect(found).toEqual([[D, E]]);
    await pass(3 * reviewMs);
    expect(found.at(-1)).toEqual([D]);
    cluster.leader = B;
    await pass(reviewMs);
    expect(found.at(-1)).toEqual([]);
  });

  it('asks nobody once it is stopped', async () => {
    const { cluster, search, pass } = setUp();
    search.stop();
    await pass(10 * leaderlessMs);
    expect(cluster.asked).toEqual([]);
  });
});
