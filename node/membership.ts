import type { Logger } from 'pino';
import { SYSTEM } from '../src/auth.ts';
import type { NodeId } from '../src/ids.ts';
import type { PeerNetwork } from './p2p/network.ts';
import type { Replica } from './replica/replica.ts';

const RETRY_PAUSE_MS = 500;

export type KnownMembers = ReadonlyMap<NodeId, readonly string[]>;

/**
 * Keeps the network in step with the replicated membership, and the replicated addresses of this node in step with
 * where it really listens.
 */
export class Membership {
  readonly #self: NodeId;
  readonly #replica: Replica;
  readonly #network: PeerNetwork;
  readonly #logger: Logger;
  /** From the answer to the join, until the log has come to where this node is a member. */
  readonly #introduced: KnownMembers;
  #told: KnownMembers = new Map();
  #stopped = false;

  constructor(
    dependencies: {
      readonly self: NodeId;
      readonly replica: Replica;
      readonly network: PeerNetwork;
      readonly logger: Logger;
    },
    introduced: KnownMembers,
  ) {
    this.#self = dependencies.self;
    this.#replica = dependencies.replica;
    this.#network = dependencies.network;
    this.#logger = dependencies.logger;
    this.#introduced = introduced;
  }

  /** To be called when the configuration or a node's addresses changed. */
  refresh(): void {
    this.#network.setMembers(this.members());
  }

  /** Others take these for members, too; in the place of those told before. */
  believe(told: KnownMembers): void {
    this.#told = told;
    this.refresh();
  }

  members(): KnownMembers {
    const { voters, outgoing, learners, learnersNext } = this.#replica.consensus.configuration;
    const ids = new Set([...voters, ...outgoing, ...learners, ...learnersNext]);
    // An older configuration may not know the leader, without whom the log would never come further.
    if (!ids.has(this.#self)) for (const id of this.#introduced.keys()) ids.add(id);
    for (const id of this.#told.keys()) ids.add(id);
    ids.delete(this.#self);
    return new Map([...ids].map((id) => [id, this.#addressesOf(id)]));
  }

  #addressesOf(id: NodeId): readonly string[] {
    return this.#told.get(id) ?? this.#replica.state.nodes.get(id)?.addresses ?? this.#introduced.get(id) ?? [];
  }

  /** Tells the cluster where this node listens, until it has taken it. */
  async announce(node: { readonly http: string; readonly version: string }): Promise<void> {
    const addresses = this.#network.addresses();
    while (!this.#stopped) {
      try {
        const known = this.#replica.state.nodes.get(this.#self);
        await this.#replica.barrier();
        const same = known?.http === node.http && known.version === node.version;
        if (same && sameAddresses(known.addresses, addresses)) return;
        const [result] = await this.#replica.propose(SYSTEM, [
          { kind: 'announceNode', node: this.#self, addresses, ...node },
        ]);
        if (result?.ok === true) return;
        this.#logger.error({ result }, 'the addresses of this node were refused');
      } catch (error) {
        this.#logger.debug({ err: error }, 'the addresses of this node are not announced yet');
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
    }
  }

  stop(): void {
    this.#stopped = true;
  }
}

function sameAddresses(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((address, i) => address === b[i]);
}
