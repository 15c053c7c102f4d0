import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeDispatchRequest, type DispatchAnswer, encodeDispatch } from '../../../node/dispatch-messages.ts';
import { LeaseRenewal } from '../../../node/execution/lease-renewal.ts';
import type { PeerNetwork } from '../../../node/p2p/network.ts';
import { Fault } from '../../../src/errors.ts';
import type { Incarnation, NodeId } from '../../../src/ids.ts';

const SELF = 'self' as NodeId;
const LEADER = 'leader' as NodeId;
const INCARNATION = 'i1' as Incarnation;

const open: LeaseRenewal[] = [];
afterEach(() => {
  for (const renewal of open.splice(0)) renewal.stop();
});

function setUp(situation: { leader: NodeId | null; alone: 'alone' | 'among others'; answer: DispatchAnswer | Fault }) {
  const told: (number | null | 'unknown')[] = [];
  const asked: unknown[] = [];
  const network = {
    request: async (to: NodeId, channel: string, body: Uint8Array) => {
      asked.push([to, channel, decodeDispatchRequest(body)]);
      if (situation.answer instanceof Fault) throw situation.answer;
      return encodeDispatch(situation.answer);
    },
  } as unknown as PeerNetwork;
  const renewal = new LeaseRenewal(
    { self: SELF, network, logger: pino({ level: 'silent' }) },
    { leaseMs: 100 },
    {
      leader: () => situation.leader,
      isAlone: () => situation.alone === 'alone',
      renewHere: () => (situation.answer instanceof Fault ? 'notLeader' : situation.answer),
      renewed: (forMs) => void told.push(forMs),
      unknown: () => void told.push('unknown'),
    },
  );
  open.push(renewal);
  return { renewal, told, asked, situation };
}

describe('LeaseRenewal', () => {
  it('asks the leader again and again, and grants the time from the sending on', async () => {
    const { renewal, told, asked } = setUp({ leader: LEADER, alone: 'among others', answer: 'renewed' });
    renewal.start(INCARNATION);
    await expect.poll(() => told.length).toBeGreaterThan(2);
    expect(asked[0]).toEqual([LEADER, 'dispatch', { kind: 'renewLease', runner: SELF, incarnation: INCARNATION }]);
    for (const granted of told) expect(granted).toBeLessThanOrEqual(100);
  });

  it('grants without limit while this node is the whole cluster', async () => {
    const { renewal, told } = setUp({ leader: SELF, alone: 'alone', answer: 'renewed' });
    renewal.start(INCARNATION);
    await expect.poll(() => told[0]).toBe(null);
  });

  it.each([
    ['no leader is known', { leader: null, answer: 'renewed' as const }],
    ['the leader leads no more', { leader: LEADER, answer: 'notLeader' as const }],
    ['the leader cannot be reached', { leader: LEADER, answer: new Fault('peerUnreachable', 'cut off') }],
  ])('grants nothing when %s', async (_name, part) => {
    const { renewal, told } = setUp({ alone: 'among others', ...part });
    renewal.start(INCARNATION);
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(told).toEqual([]);
  });

  it('says so when the leader does not know the runner', async () => {
    const { renewal, told } = setUp({ leader: LEADER, alone: 'among others', answer: 'unknown' });
    renewal.start(INCARNATION);
    await expect.poll(() => told[0]).toBe('unknown');
  });

  it('lets an answer for an earlier incarnation count for nothing', async () => {
    const { renewal, told, asked } = setUp({ leader: LEADER, alone: 'among others', answer: 'renewed' });
    renewal.start(INCARNATION);
    renewal.stop();
    await expect.poll(() => asked.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told).toEqual([]);
  });
});
