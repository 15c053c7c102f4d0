import type { Configuration, NodeId } from '../../raft/types.ts';
import { call } from './caller.ts';
import type { Chance } from './chance.ts';
import type { LogImage } from './log-image.ts';
import type { Machine } from './machine.ts';
import type { Simulation } from './simulation.ts';

type MemberRole = 'voter' | 'learner' | 'none';

const PAUSE_MS = 60;

/** Changes the membership, as people and the leader's duties do, through any node and with no certainty of success. */
export class Operator {
  readonly #simulation: Simulation;
  readonly #chance: Chance;
  /** Changes that were asked for and not answered yet. */
  #underWay = 0;
  /** Members whose disk is gone for good. */
  readonly lost = new Set<NodeId>();

  constructor(simulation: Simulation, chance: Chance) {
    this.#simulation = simulation;
    this.#chance = chance;
  }

  /** The one with the newest term. */
  get leader(): Machine | null {
    const termOf = ({ replica }: Machine): number => replica?.consensus.term ?? 0;
    const leaders = this.#simulation.machines.filter(({ replica }) => replica?.isLeader === true);
    return leaders.toSorted((left, right) => termOf(right) - termOf(left))[0] ?? null;
  }

  /** Of the leader. */
  get configuration(): Configuration | null {
    return this.leader?.replica?.consensus.configuration ?? null;
  }

  /** Until there are so many voters and everyone knows it. */
  async reach(voters: number): Promise<void> {
    const deadline = this.#simulation.loop.now + 60_000;
    while (this.#simulation.loop.now < deadline) {
      const configuration = this.configuration;
      if (configuration !== null && configuration.voters.length >= voters) return;
      if (configuration !== null) await this.#grow(configuration);
      await this.#simulation.loop.sleep(PAUSE_MS);
    }
    this.#simulation.violate('the cluster heals', 'it never came to its voters');
  }

  async #grow(configuration: Configuration): Promise<void> {
    const [learner] = configuration.learners.filter((id) => this.#simulation.machine(id)?.isServing === true);
    if (learner !== undefined) {
      await this.#change(learner, 'voter');
      return;
    }
    const next = this.#usable().find(({ id, replica }) => replica !== null && roleIn(configuration, id) === 'none');
    if (next !== undefined) await this.#change(next.id, 'learner');
  }

  /** One change, sensible or not. */
  async changeSomething(): Promise<void> {
    const configuration = this.configuration;
    if (configuration === null) return;
    const machine = this.#chance.pick(this.#usable());
    const role = this.#nextRole(configuration, machine);
    if (role !== null) await this.#change(machine.id, role);
  }

  /** All voters at once, by way of a joint configuration, if the asked one leads. */
  async replaceVoters(): Promise<void> {
    const configuration = this.configuration;
    const leader = this.leader;
    if (configuration === null || leader === null) return;
    if (configuration.voters.some((voter) => this.lost.has(voter))) return;
    const members = this.#chance.shuffled(this.#usable().map(({ id }) => id));
    const voters = members.slice(0, Math.max(3, configuration.voters.length));
    const learners = members.slice(voters.length).filter(() => this.#chance.happens(0.5));
    this.#underWay += 1;
    const outcome = await call(this.#simulation, leader, (replica) =>
      replica.change({ kind: 'replace', voters, learners }),
    );
    this.#underWay -= 1;
    if (outcome.kind === 'answered') this.#simulation.tally.add('joint changes taken');
    this.#simulation.trace.note(`operator at ${leader.id}: voters become ${voters.join(' ')}: ${outcome.kind}`);
  }

  async transferSomewhere(): Promise<void> {
    const to = this.#chance.pick(this.#simulation.machines).id;
    const asked = this.#simulation.anyMachine(this.#chance);
    await call(this.#simulation, asked, (replica) => replica.transfer(to));
  }

  /** Whether the cluster can do for ever without this machine's disk, whatever becomes of changes under way. */
  canLose(machine: Machine): boolean {
    if (this.#underWay > 0) return false;
    return this.#simulation.machines.every((holder) => {
      if (holder.state === 'gone') return true;
      const { voters, outgoing } = newestConfiguration(holder.memory ?? holder.disk.log);
      if (outgoing.length > 0) return false;
      const others = voters.filter((id) => id !== machine.id && !this.lost.has(id));
      return others.length === voters.length || (others.length === voters.length - 1 && voters.length >= 3);
    });
  }

  /** Brings a new machine in and the lost one out. */
  async replace(id: NodeId): Promise<void> {
    this.lost.add(id);
    this.#simulation.addMachine().start();
    const { loop } = this.#simulation;
    while (this.#simulation.phase === 'storm') {
      await loop.sleep(this.#chance.exponential(500));
      const configuration = this.configuration;
      if (configuration === null || this.#underWay > 0) continue;
      if (roleIn(configuration, id) !== 'none') await this.#change(id, 'none');
      else if (configuration.voters.length >= this.#simulation.profile.voters) return;
      else await this.#grow(configuration);
    }
  }

  #usable(): readonly Machine[] {
    return this.#simulation.machines.filter(({ id, state }) => state !== 'gone' && !this.lost.has(id));
  }

  /** A live voter is not taken out while another is lost: the rest might be no quorum. */
  #nextRole(configuration: Configuration, { id }: Machine): MemberRole | null {
    switch (roleIn(configuration, id)) {
      case 'none':
        return 'learner';
      case 'learner':
        return this.#chance.happens(0.8) ? 'voter' : 'none';
      case 'voter': {
        const anyLost = configuration.voters.some((voter) => this.lost.has(voter));
        if (anyLost || configuration.voters.length < 3) return null;
        return this.#chance.pick(['learner', 'none']);
      }
    }
  }

  async #change(node: NodeId, role: MemberRole): Promise<void> {
    const { trace, tally } = this.#simulation;
    this.#underWay += 1;
    const asked = this.#simulation.anyMachine(this.#chance);
    const outcome = await call(this.#simulation, asked, (replica) => replica.changeMembership(node, role));
    this.#underWay -= 1;
    if (outcome.kind === 'answered') tally.add('membership changes taken');
    trace.note(`operator at ${asked.id}: ${node} becomes ${role}: ${outcome.kind}`);
  }
}

export function newestConfiguration(log: LogImage): Configuration {
  const entry = log.entries.findLast(({ kind }) => kind === 'configuration');
  if (entry?.kind === 'configuration') return entry.configuration;
  return log.snapshot?.configuration ?? { voters: [], outgoing: [], learners: [], learnersNext: [] };
}

/** A voter of a configuration that is not joint. */
export function isWholeVoter({ voters, outgoing }: Configuration, id: NodeId): boolean {
  return outgoing.length === 0 && voters.includes(id);
}

function roleIn({ voters, outgoing, learners, learnersNext }: Configuration, id: NodeId): MemberRole {
  if (voters.includes(id) || outgoing.includes(id)) return 'voter';
  return learners.includes(id) || learnersNext.includes(id) ? 'learner' : 'none';
}
