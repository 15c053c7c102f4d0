import type { Logger } from 'pino';
import type { NodeId } from '../src/ids.ts';
import { LIMITS } from '../src/limits.ts';
import type { KnownMembers } from './membership.ts';
import type { PeerNetwork } from './p2p/network.ts';
import type { Replica } from './replica/replica.ts';

export const MEMBER_SEARCH_TIMES = {
  reviewMs: 1_000,
  /** Without a leader for so long, other members are asked: longer than an election takes. */
  leaderlessMs: 3_000,
  /** What was told is believed at least for so long; the log of the leader that was found tells of the members then. */
  believedMs: 60_000,
} as const;

/**
 * A node that was away while the members changed may not know the leader, takes it for a stranger and never hears of
 * the change. Without a leader it therefore asks the members that it is connected with, one after another, for theirs.
 */
export class MemberSearch {
  readonly #replica: Pick<Replica, 'leader' | 'askMembers'>;
  readonly #network: Pick<PeerNetwork, 'connected'>;
  readonly #logger: Logger;
  readonly #found: (members: KnownMembers) => void;
  #told: KnownMembers = new Map();
  #leaderSeenAt = performance.now();
  #toldAt = 0;
  #asked = 0;
  #state: 'idle' | 'asking' = 'idle';
  #timer: NodeJS.Timeout | null = null;

  /** @param found takes all that is believed now, whenever it changes */
  constructor(
    dependencies: {
      readonly replica: Pick<Replica, 'leader' | 'askMembers'>;
      readonly network: Pick<PeerNetwork, 'connected'>;
      readonly logger: Logger;
    },
    found: (members: KnownMembers) => void,
  ) {
    this.#replica = dependencies.replica;
    this.#network = dependencies.network;
    this.#logger = dependencies.logger;
    this.#found = found;
  }

  start(): void {
    this.#leaderSeenAt = performance.now();
    this.#timer ??= setInterval(() => this.#review(), MEMBER_SEARCH_TIMES.reviewMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #review(): void {
    const now = performance.now();
    const { leader } = this.#replica;
    if (leader !== null) {
      this.#leaderSeenAt = now;
      if (now - this.#toldAt > MEMBER_SEARCH_TIMES.believedMs) this.#believeOnly(leader);
    } else if (now - this.#leaderSeenAt > MEMBER_SEARCH_TIMES.leaderlessMs) void this.#ask();
  }

  /** A leader that is still sending a snapshot may not be in this node's configuration yet. */
  #believeOnly(leader: NodeId): void {
    const kept = new Map([...this.#told].filter(([id]) => id === leader));
    if (kept.size < this.#told.size) this.#believe(kept);
  }

  async #ask(): Promise<void> {
    const connected = this.#network.connected();
    const peer = connected[this.#asked % connected.length];
    if (peer === undefined || this.#state === 'asking') return;
    this.#asked += 1;
    this.#state = 'asking';
    try {
      this.#take(peer, await this.#replica.askMembers(peer));
    } catch (error) {
      this.#logger.debug({ peer, err: error }, 'a member did not tell its members');
    }
    this.#state = 'idle';
  }

  #take(peer: NodeId, members: KnownMembers): void {
    if (this.#timer === null || this.#replica.leader !== null) return;
    this.#toldAt = performance.now();
    const before = [...this.#told].filter(([id]) => !members.has(id));
    const all = new Map([...members, ...before].slice(0, LIMITS.members));
    const unknown = [...all.keys()].filter((id) => !this.#told.has(id));
    if (unknown.length > 0) this.#logger.info({ peer, members: unknown }, 'was told of members: no leader is known');
    this.#believe(all);
  }

  #believe(told: KnownMembers): void {
    this.#told = told;
    this.#found(told);
  }
}
