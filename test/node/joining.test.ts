import { describe, expect, it } from 'vitest';
import { answerStranger, askStanding, join } from '../../node/joining.ts';
import type { PeerNetwork } from '../../node/p2p/network.ts';
import type { Replica } from '../../node/replica/replica.ts';
import type { NodeId, TokenId } from '../../src/ids.ts';
import { encodeVersioned } from '../../node/versioned.ts';
import type { Command } from '../../src/state/commands.ts';
import { ClusterState } from '../../src/state/state.ts';

const MEMBER = 'member' as NodeId;
const LEARNER = 'learner' as NodeId;
const STRANGER = 'stranger' as NodeId;
const REQUEST = {
  token: 'j' as TokenId,
  secret: 's',
  addresses: ['/ip4/127.0.0.1/tcp/1'],
  version: '1',
  succession: null,
};

/** A member, and the network of a node that asks it. */
function setUp(asker: NodeId, onPropose: () => unknown = () => undefined) {
  const proposed: Command[] = [];
  const added: unknown[] = [];
  const configuration = { voters: [MEMBER], outgoing: [], learners: [LEARNER], learnersNext: [] };
  const state = { leader: MEMBER as NodeId | null };
  const replica = {
    get leader() {
      return state.leader;
    },
    state: new ClusterState(),
    consensus: { configuration },
    barrier: async () => undefined,
    propose: async (_by: unknown, commands: readonly Command[]) => {
      proposed.push(...commands);
      onPropose();
      return commands.map(() => ({ ok: true as const }));
    },
    changeMembership: async (...change: unknown[]) => void added.push(change),
  } as unknown as Replica;
  const here = { self: MEMBER, addresses: () => ['/ip4/127.0.0.1/tcp/2'] } as unknown as PeerNetwork;
  const parts = { replica, network: here, members: () => new Map() };
  const network = {
    join: (_addresses: readonly string[], body: Uint8Array) => answerStranger(parts, asker, body),
  } as unknown as PeerNetwork;
  return { network, state, configuration, proposed, added };
}

describe('a node that asks whether it is a member', () => {
  it.each([
    [MEMBER, 'member'],
    [LEARNER, 'member'],
    [STRANGER, 'none'],
  ])('as %s is told: %s', async (asker, standing) => {
    const { network, proposed } = setUp(asker);
    expect(await askStanding(network, [])).toBe(standing);
    expect(proposed).toEqual([]);
  });

  it('is told nothing by a member that knows no leader', async () => {
    const { network, state } = setUp(STRANGER);
    state.leader = null;
    await expect(askStanding(network, [])).rejects.toMatchObject({ code: 'noLeader' });
  });
});

describe('a node that joins', () => {
  it('uses its token and becomes a learner', async () => {
    const { network, proposed, added } = setUp(STRANGER);
    const { members } = await join(network, [], REQUEST);
    expect([...members.keys()]).toEqual([MEMBER]);
    expect(proposed).toMatchObject([{ kind: 'useJoinToken', id: 'j', node: STRANGER }]);
    expect(added).toEqual([[STRANGER, 'learner']]);
  });

  it('may ask again while it is a learner', async () => {
    const { network, added } = setUp(LEARNER);
    await join(network, [], REQUEST);
    expect(added).toEqual([]);
  });

  it('is refused under the id of a voter: it lost its log and may have forgotten a vote', async () => {
    const { network, proposed } = setUp(MEMBER);
    await expect(join(network, [], REQUEST)).rejects.toMatchObject({ code: 'joinRefused' });
    expect(proposed).toEqual([]);
  });

  it('is refused also by a member that hears only meanwhile that the id votes', async () => {
    const { network, configuration } = setUp(STRANGER, () => configuration.voters.push(STRANGER));
    await expect(join(network, [], REQUEST)).rejects.toMatchObject({ code: 'joinRefused' });
  });

  it.each([null, 7, {}, { ...REQUEST, addresses: 'x' }, { ...REQUEST, succession: 7 }, { ...REQUEST, token: [] }])(
    'is refused as malformed: %j',
    async (request) => {
      const { network, proposed } = setUp(STRANGER);
      await expect(network.join([], encodeVersioned(request))).rejects.toMatchObject({ code: 'invalidRequest' });
      expect(proposed).toEqual([]);
    },
  );

  it('takes an answer that makes no sense for no answer', async () => {
    const network = { join: async () => encodeVersioned({ members: 7 }) } as unknown as PeerNetwork;
    await expect(join(network, [], REQUEST)).rejects.toMatchObject({ code: 'peerUnreachable' });
    await expect(askStanding(network, [])).rejects.toMatchObject({ code: 'peerUnreachable' });
  });

  it('removes nobody on the word of another than the one who is to be replaced', async () => {
    const { network, proposed, added } = setUp(STRANGER);
    const request = { ...REQUEST, succession: { former: LEARNER, proof: 'forged' } };
    await expect(join(network, [], request)).rejects.toMatchObject({ code: 'joinRefused' });
    expect([proposed, added]).toEqual([[], []]);
  });
});
