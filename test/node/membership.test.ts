import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Membership } from '../../node/membership.ts';
import type { PeerNetwork } from '../../node/p2p/network.ts';
import type { Replica } from '../../node/replica/replica.ts';
import type { NodeId } from '../../src/ids.ts';
import { ClusterState } from '../../src/state/state.ts';

const SELF = 'self' as NodeId;
const FOUNDER = 'founder' as NodeId;
const LEADER = 'leader' as NodeId;

function setUp() {
  const configuration = { voters: [] as NodeId[], outgoing: [], learners: [] as NodeId[], learnersNext: [] };
  const replica = { state: new ClusterState(), consensus: { configuration } } as unknown as Replica;
  const introduced = new Map([
    [FOUNDER, ['/ip4/10.0.0.1/tcp/1']],
    [LEADER, ['/ip4/10.0.0.2/tcp/1']],
  ]);
  const network = { setMembers: () => undefined } as unknown as PeerNetwork;
  const dependencies = { self: SELF, replica, network, logger: pino({ level: 'silent' }) };
  const membership = new Membership(dependencies, introduced);
  return { membership, configuration, names: () => [...membership.members().keys()].toSorted() };
}

describe('Membership', () => {
  it('knows those that let this node in before the log tells of anybody', () => {
    const { membership, names } = setUp();
    expect(names()).toEqual([FOUNDER, LEADER]);
    expect(membership.members().get(LEADER)).toEqual(['/ip4/10.0.0.2/tcp/1']);
  });

  it('keeps them while its log stands at a time before it joined: the leader may be among them', () => {
    const { configuration, names } = setUp();
    configuration.voters = [FOUNDER];
    expect(names()).toEqual([FOUNDER, LEADER]);
  });

  it('believes the log alone once it tells of this node', () => {
    const { configuration, names } = setUp();
    configuration.voters = [FOUNDER];
    configuration.learners = [SELF];
    expect(names()).toEqual([FOUNDER]);
  });

  it('adds those that it was told of, at the addresses told, until it is told otherwise', () => {
    const { membership, configuration, names } = setUp();
    configuration.voters = [FOUNDER, SELF];
    membership.believe(new Map([[LEADER, ['/ip4/10.0.0.3/tcp/1']]]));
    expect(names()).toEqual([FOUNDER, LEADER]);
    expect(membership.members().get(LEADER)).toEqual(['/ip4/10.0.0.3/tcp/1']);
    membership.believe(new Map());
    expect(names()).toEqual([FOUNDER]);
  });
});
