import type { RaftOptions } from '../../../raft/config.ts';
import type { MembershipChange, Message, NodeId } from '../../../raft/types.ts';
import { node } from './builders.ts';
import { Cluster } from './cluster.ts';
import type { Member } from './member.ts';
import { seeded } from './seeded.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly steps: number;
  readonly raft?: Partial<RaftOptions>;
}

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const FIRST = ['a', 'b', 'c'];

/**
 * A cluster under a seeded storm: messages are dropped, doubled, reordered and delayed; writes complete late, one by
 * one or together; nodes crash and lose what was not written, and come back; the network splits; leadership moves;
 * members change; logs are compacted. The invariants hold at every step, or the step throws.
 */
export class Chaos {
  readonly cluster: Cluster;
  readonly #random: () => number;
  readonly #steps: number;
  readonly #clocks: 'free' | 'even';
  readonly #still = new Set<NodeId>();
  /** Proposals by text that a client was told are committed. */
  readonly acknowledged = new Set<string>();
  readonly #proposed = new Map<number, { readonly text: string; readonly at: Member; readonly session: string }>();

  constructor({ seed, steps, raft }: ChaosOptions) {
    this.#random = seeded(seed);
    this.#steps = steps;
    this.#clocks = raft?.reads === 'lease' ? 'even' : 'free';
    this.cluster = new Cluster({
      members: FIRST,
      random: seeded(seed + 1),
      raft: { maxInflightAppends: 3, maxAppendBytes: 200, maxApplyBytes: 200, maxUncommittedBytes: 2000, ...raft },
    });
    for (const name of NAMES) if (!FIRST.includes(name)) this.cluster.join(name);
    for (const member of this.cluster.members.values()) member.disk = 'held';
  }

  run(): void {
    for (let step = 0; step < this.#steps; step += 1) {
      this.#act();
      this.#noteCommits();
    }
    this.#calmDown();
  }

  #act(): void {
    const roll = this.#random();
    const member = this.#pick([...this.cluster.members.values()]);
    if (roll < 0.003) this.#splitOrHeal();
    else if (member.state === 'down') this.#maybe(0.05, () => this.cluster.restart(member.id));
    else if (roll < 0.005) this.cluster.crash(member.id, Math.floor(this.#random() * (member.writes.length + 1)));
    else if (roll < 0.25) this.#tick(member);
    else if (roll < 0.26) this.#disturb(member);
    else if (roll < 0.3) this.#propose(member);
    else if (roll < 0.32) this.cluster.read(member.id);
    else if (roll < 0.325) this.cluster.change(member.id, this.#anyChange());
    else if (roll < 0.33) this.#compact(member);
    else if (roll < 0.45) this.cluster.finishWrite(member.id);
    else if (roll < 0.55) this.cluster.apply(member.id);
    else this.#moveMessage();
  }

  /** Leases need clocks of the same speed, but for those that stand still and notice it. */
  #tick(member: Member): void {
    if (this.#clocks === 'free') {
      this.cluster.tick(member.id);
      return;
    }
    // One of five, so that as much time passes as when each member ticks alone.
    if (this.#random() < 0.8) return;
    for (const [id, { state }] of this.cluster.members) {
      if (state === 'down') continue;
      if (this.#still.has(id)) {
        if (this.#random() < 0.85) continue;
        this.#still.delete(id);
        this.cluster.step(id, { kind: 'stalled' });
      }
      this.cluster.tick(id);
    }
  }

  #disturb(member: Member): void {
    const roll = this.#random();
    if (roll < 0.2 && this.#clocks === 'even') this.#still.add(member.id);
    else if (roll < 0.2) this.cluster.step(member.id, { kind: 'stalled' });
    else if (roll < 0.4) this.cluster.step(member.id, { kind: 'diskStalled' });
    else if (roll < 0.7) this.cluster.step(member.id, { kind: 'transfer', to: this.#anyNode() });
    else this.cluster.step(member.id, { kind: 'unreachable', peer: this.#anyNode() });
  }

  #propose(member: Member): void {
    const text = `${this.#proposed.size}`;
    const id = this.cluster.propose(member.id, text.padEnd(Math.floor(this.#random() * 150), '.'));
    this.#proposed.set(id, { text, at: member, session: member.session });
  }

  /** A client hears of success once the node that took its proposal has applied it. */
  #noteCommits(): void {
    for (const [id, { text, at, session }] of this.#proposed) {
      const place = at.accepted.get(id);
      if (at.session !== session || place === undefined) continue;
      const applied = at.machine.get(place.index);
      if (applied?.term === place.term) this.acknowledged.add(text);
      if (applied !== undefined) this.#proposed.delete(id);
    }
  }

  #anyChange(): MembershipChange {
    const roll = this.#random();
    if (roll < 0.2) return { kind: 'addLearner', node: this.#anyNode() };
    if (roll < 0.45) return { kind: 'promote', node: this.#anyNode() };
    if (roll < 0.6) return { kind: 'demote', node: this.#anyNode() };
    if (roll < 0.75) return { kind: 'remove', node: this.#anyNode() };
    const shuffled = NAMES.map(node).toSorted(() => this.#random() - 0.5);
    return { kind: 'replace', voters: shuffled.slice(0, 3), learners: shuffled.slice(3) };
  }

  #compact(member: Member): void {
    const to = Math.min(member.applied, member.raft.applied);
    if (to >= member.raft.firstIndex && member.restoring === null) member.compact(to);
  }

  #moveMessage(): void {
    const { inFlight } = this.cluster;
    if (inFlight.length === 0) return;
    const roll = this.#random();
    const position = roll < 0.8 ? 0 : Math.floor(this.#random() * inFlight.length);
    const message = inFlight[position];
    if (message === undefined) return;
    if (roll < 0.95) inFlight.splice(position, 1);
    if (roll > 0.92 && roll < 0.95) this.#drop(message);
    else this.cluster.deliver(message);
  }

  #drop(message: Message): void {
    if (message.kind !== 'installSnapshot') return;
    const sender = this.cluster.member(message.from);
    if (sender.state === 'down') return;
    this.cluster.step(sender.id, { kind: 'snapshotResult', peer: message.to, result: 'failed' });
  }

  #splitOrHeal(): void {
    const roll = this.#random();
    if (roll < 0.5) {
      this.cluster.heal();
      return;
    }
    if (roll < 0.6) {
      this.cluster.cut(this.#anyNode(), this.#anyNode());
      return;
    }
    const shuffled = NAMES.toSorted(() => this.#random() - 0.5);
    const size = 1 + Math.floor(this.#random() * 3);
    const bridge = roll > 0.85 ? shuffled.slice(0, 1) : [];
    this.cluster.partition(shuffled.slice(0, size), [...bridge, ...shuffled.slice(size)]);
  }

  /** The faults stop: the cluster has to heal, take a write and hold every acknowledged one. */
  #calmDown(): void {
    this.cluster.heal();
    this.#still.clear();
    for (const member of this.cluster.members.values()) {
      if (member.state === 'down') this.cluster.restart(member.id);
      member.disk = 'prompt';
    }
    this.cluster.settle();
    for (let i = 0; i < 40; i += 1) {
      this.cluster.run(5);
      const { leader } = this.cluster;
      if (leader === null || this.#random() < 0.5) continue;
      const id = this.cluster.propose(leader.id, `last ${i}`);
      this.cluster.settle();
      const place = leader.accepted.get(id);
      if (place !== undefined && leader.machine.get(place.index)?.term === place.term) return;
    }
    throw new Error('the cluster did not heal');
  }

  /** What every member of the last configuration must hold. */
  holders(): Member[] {
    const { leader } = this.cluster;
    if (leader === null) throw new Error('nobody leads');
    const { voters, learners } = leader.raft.configuration;
    return [...voters, ...learners].map((id) => this.cluster.member(id));
  }

  #maybe(probability: number, act: () => void): void {
    if (this.#random() < probability) act();
  }

  #anyNode(): NodeId {
    return node(this.#pick(NAMES));
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.#random() * items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}
