import type { PeerProgress } from '../../raft/raft.ts';
import type { NodeId } from '../../src/ids.ts';

/** What the leader knows of one other member's liveness. */
interface Watched {
  /** Heard of within an election timeout. */
  readonly isAlive: boolean;
  readonly isCaughtUp: boolean;
  /** When it was last found alive, or when this leader began to watch it. */
  readonly seenAt: number;
  /** Whether this leader ever heard of it. */
  readonly seen: 'everSeen' | 'neverSeen';
}

/** How long each member is silent, by the leader's own watching: a new leader counts anew. */
export class MemberWatch {
  readonly #members = new Map<NodeId, Watched>();

  /** @param now milliseconds by a clock that never jumps, here and below */
  review(progress: readonly PeerProgress[], now: number): void {
    const known = new Set<NodeId>();
    for (const { peer, recentActive, caughtUp, matchIndex } of progress) {
      known.add(peer);
      const before = this.#members.get(peer);
      // The core takes a peer for alive for a while before it has heard of it at all.
      const isSeen = recentActive && (before?.seen === 'everSeen' || matchIndex > 0);
      this.#members.set(peer, {
        isAlive: recentActive,
        isCaughtUp: caughtUp,
        seenAt: recentActive || before === undefined ? now : before.seenAt,
        seen: isSeen ? 'everSeen' : (before?.seen ?? 'neverSeen'),
      });
    }
    for (const peer of this.#members.keys()) if (!known.has(peer)) this.#members.delete(peer);
  }

  /** A leader that stood still heard nobody, which says nothing about them. */
  forgive(now: number): void {
    for (const [peer, watched] of this.#members) this.#members.set(peer, { ...watched, seenAt: now });
  }

  clear(): void {
    this.#members.clear();
  }

  isAlive(node: NodeId): boolean {
    return this.#members.get(node)?.isAlive ?? false;
  }

  isCaughtUp(node: NodeId): boolean {
    return this.#members.get(node)?.isCaughtUp ?? false;
  }

  silentMs(node: NodeId, now: number): number {
    const watched = this.#members.get(node);
    return watched === undefined || watched.isAlive ? 0 : now - watched.seenAt;
  }

  /** How long ago it was last heard of; null: never by this leader. */
  heardMsAgo(node: NodeId, now: number): number | null {
    const watched = this.#members.get(node);
    return watched === undefined || watched.seen === 'neverSeen' ? null : now - watched.seenAt;
  }
}
