import { describe, expect, it } from 'vitest';
import { handOver, type LeadingReplica } from '../../node/hand-over.ts';
import type { PeerProgress } from '../../raft/raft.ts';
import type { NodeId } from '../../src/ids.ts';

const SELF = 'self' as NodeId;
const NEAR = 'near' as NodeId;
const FAR = 'far' as NodeId;
const LEARNER = 'learner' as NodeId;
const AWAY = 'away' as NodeId;

function progress(peer: NodeId, matchIndex: number, recentActive = true): PeerProgress {
  const rest = { nextIndex: matchIndex + 1, state: 'replicate', inflight: 0, caughtUp: true } as const;
  return { peer, matchIndex, recentActive, ...rest };
}

/** Leads until it was asked to hand over, and then `after` says who does. */
class FakeReplica implements LeadingReplica {
  isLeader = true;
  leader: NodeId | null = SELF;
  readonly askedFor: NodeId[] = [];
  readonly consensus;
  readonly #after: (replica: FakeReplica, to: NodeId) => void;

  constructor(peers: readonly PeerProgress[], after: (replica: FakeReplica, to: NodeId) => void) {
    const voters = [SELF, ...peers.map(({ peer }) => peer).filter((peer) => peer !== LEARNER)];
    const configuration = { voters, outgoing: [], learners: [LEARNER], learnersNext: [] };
    this.consensus = { configuration, progress: () => peers };
    this.#after = after;
  }

  async transfer(to: NodeId): Promise<void> {
    this.askedFor.push(to);
    this.#after(this, to);
  }
}

function obey(replica: FakeReplica, to: NodeId): void {
  replica.isLeader = false;
  replica.leader = null;
  setTimeout(() => (replica.leader = to), 20);
}

describe('a leader that stops', () => {
  it('hands over to the voter that is furthest, and waits until it leads', async () => {
    const peers = [progress(FAR, 5), progress(NEAR, 9), progress(LEARNER, 10), progress(AWAY, 10, false)];
    const replica = new FakeReplica(peers, obey);
    await handOver(replica, 60_000);
    expect(replica.askedFor).toEqual([NEAR]);
    expect(replica.leader).toBe(NEAR);
  });

  it('asks nobody when no other voter is there', async () => {
    const replica = new FakeReplica([progress(LEARNER, 10), progress(AWAY, 10, false)], obey);
    await handOver(replica, 60_000);
    expect(replica.askedFor).toEqual([]);
  });

  it('asks nobody when it does not lead', async () => {
    const replica = new FakeReplica([progress(NEAR, 9)], obey);
    replica.isLeader = false;
    await handOver(replica, 60_000);
    expect(replica.askedFor).toEqual([]);
  });

  it('stops all the same when the heir does not come, or cannot be asked', async () => {
    const silent = new FakeReplica([progress(NEAR, 9)], () => undefined);
    await handOver(silent, 20);
    expect(silent.isLeader).toBe(true);
    const deaf = new FakeReplica([progress(NEAR, 9)], () => {
      throw new Error('no leader');
    });
    await handOver(deaf, 60_000);
  });
});
