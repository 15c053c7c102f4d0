import type { Command } from '../../src/state/commands.ts';
import type { NodeId } from '../../src/ids.ts';
import { call } from './caller.ts';
import type { Chance } from './chance.ts';
import { LOCAL, readAt } from './client.ts';
import type { Machine } from './machine.ts';
import type { Simulation } from './simulation.ts';

/** Sequences of faults that chance alone brings about too seldom: each has broken somebody's consensus. */
export class Scenes {
  readonly #simulation: Simulation;
  readonly #chance: Chance;

  constructor(simulation: Simulation, chance: Chance) {
    this.#simulation = simulation;
    this.#chance = chance;
  }

  /**
   * A leader is cut off and goes on to append what nobody else has; the others elect another, which goes on and cuts its
   * log. Then the old one answers reads, if it does, and comes back.
   */
  async depose(leader: Machine): Promise<void> {
    const { loop, network, operator } = this.#simulation;
    const apart = leader.replica?.consensus.commitIndex ?? 0;
    this.#cutBoth([leader.id]);
    const end = loop.now + this.#elections(2, 6);
    while (loop.now < end) {
      this.propose(leader, 1);
      await loop.sleep(this.#chance.between(2, 12));
      const first = operator.leader === leader ? 0 : (operator.leader?.replica?.consensus.firstIndex ?? 0);
      if (first > apart + 1) break;
    }
    for (let i = 0; i < 2; i += 1) void readAt(this.#simulation, leader, this.#chance);
    await loop.sleep(5);
    network.joinLinks();
  }

  /** A leader stands still, cut off or not, until it is replaced; the first thing that it does then is to read. */
  async readLate(leader: Machine): Promise<void> {
    const { loop, network, operator } = this.#simulation;
    const ms = this.#elections(0.5, 5);
    const isCut = this.#chance.happens(0.6);
    if (isCut) this.#cutBoth([leader.id]);
    leader.pauseFor(ms);
    await loop.sleep(0.8 * ms);
    if (operator.leader !== null && operator.leader !== leader) this.propose(operator.leader, 2);
    await loop.sleep(0.2 * ms - 4);
    for (let i = 0; i < 4; i += 1) void readAt(this.#simulation, leader, this.#chance);
    await loop.sleep(10);
    if (isCut) network.joinLinks();
  }

  /**
   * The disk of a member stands still with what a leader wrote there last, and that leader reaches nobody any more.
   * Another one is elected meanwhile and has the member write something else in the same places.
   */
  async writeAnew(leader: Machine): Promise<void> {
    const { loop, network } = this.#simulation;
    const member = this.#spared(leader);
    if (member === null) return;
    const ms = this.#elections(5, 9);
    member.disk.stalledUntil = loop.now + ms;
    this.#cutBoth([leader.id, member.id]);
    this.propose(leader, 2);
    await loop.sleep(this.#chance.between(5, 25));
    network.joinLinks();
    this.#cutBoth([leader.id]);
    await loop.sleep(ms + 20);
    network.joinLinks();
  }

  /** A member without which, and without the leader, the others are still a majority. */
  #spared(leader: Machine): Machine | null {
    const { machines, operator } = this.#simulation;
    const { voters = [], outgoing = [], learners = [] } = operator.configuration ?? {};
    if (outgoing.length > 0) return null;
    const sparedVoters = voters.length >= 5 ? voters.filter((id) => id !== leader.id) : [];
    const ids = [...learners, ...sparedVoters];
    const spared = machines.filter(({ id, replica }) => replica !== null && ids.includes(id));
    return spared.length === 0 ? null : this.#chance.pick(spared);
  }

  /** The voters are exchanged while old ones cannot be heard. */
  async exchangeVoters(): Promise<void> {
    const { operator, loop, network } = this.#simulation;
    const { leader, configuration: before } = operator;
    void operator.replaceVoters();
    if (leader === null || before === null || this.#chance.happens(0.4)) return;
    await loop.sleep(this.#chance.between(0, 8));
    const { configuration: joint } = operator;
    const leaving = before.voters.filter((id) => joint?.voters.includes(id) === false);
    const isWhole = this.#chance.happens(0.5);
    this.#cutBoth(isWhole ? [...leaving, leader.id] : leaving.filter((id) => id !== leader.id));
    this.propose(leader, 3);
    await loop.sleep(this.#elections(0.5, 4));
    network.joinLinks();
  }

  /** Proposals whose answers nobody waits for. */
  propose(machine: Machine, count: number): void {
    for (let i = 0; i < count; i += 1) {
      const id = this.#simulation.newJobId();
      const command: Command = { kind: 'submit', id, spec: { command: ['x'] }, placement: null, idempotency: null };
      void call({ loop: this.#simulation.loop, chance: this.#chance }, machine, (replica) =>
        replica.propose(LOCAL, [command]),
      );
    }
  }

  #elections(least: number, most: number): number {
    return this.#chance.between(least, most) * this.#simulation.profile.timing.electionMs;
  }

  /** From here on these reach nobody but each other, and nobody else reaches them. */
  #cutBoth(ids: readonly NodeId[]): void {
    const { network, machines } = this.#simulation;
    for (const { id } of machines) {
      for (const one of ids) {
        if (ids.includes(id)) continue;
        network.cut(one, id);
        network.cut(id, one);
      }
    }
  }
}
