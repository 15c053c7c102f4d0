import type { Machine } from './machine.ts';
import { isWholeVoter } from './operator.ts';
import type { Scenes } from './scenes.ts';
import type { Simulation } from './simulation.ts';

/**
 * A follower loses its disk and comes back under its old id, which nobody must do. The design promises this much: where
 * the others do not need what it had promised, the leader starts it anew, and acknowledgements of its former start that
 * arrive late do not count (the session of a node).
 */
export class WrongReturn {
  readonly #simulation: Simulation;
  readonly #scenes: Scenes;
  readonly #machine: Machine;

  constructor(simulation: Simulation, scenes: Scenes, machine: Machine) {
    this.#simulation = simulation;
    this.#scenes = scenes;
    this.#machine = machine;
  }

  /** Whether the cluster is such that it would do no harm now. */
  get isPossible(): boolean {
    const { leader } = this.#simulation.operator;
    return leader !== null && leader !== this.#machine && this.#isHarmless(leader);
  }

  async attempt(): Promise<void> {
    const { network, operator, machines } = this.#simulation;
    const { leader } = operator;
    if (leader === null || leader.id === this.#machine.id || !this.#isHarmless(leader)) return;
    await this.#quiet();
    const others = machines.map(({ id }) => id).filter((id) => id !== leader.id);
    for (const id of others) network.clog(id, leader.id);
    this.#scenes.propose(leader, 5);
    await this.#simulation.loop.sleep(0.3 * this.#simulation.profile.timing.electionMs);
    const late = network.takeClogged(this.#machine.id, leader.id);
    if (this.#isHarmless(leader)) await this.#loseDisk(leader, late);
    else for (const arrive of late) arrive();
    for (const id of others) network.unclog(id, leader.id, 'kept');
  }

  /** Until everything that was sent before has arrived: from then on all that is late waits at a clogged link. */
  async #quiet(): Promise<void> {
    const { network, loop, profile } = this.#simulation;
    const before = network.faults;
    network.faults = { ...before, delay: 0 };
    await loop.sleep(before.delayMs + 2 * profile.network.delayMs[1]);
    network.faults = this.#simulation.phase === 'storm' ? before : network.faults;
  }

  /** Its acknowledgements arrive once the leader has heard of its new start. */
  async #loseDisk(leader: Machine, late: readonly (() => void)[]): Promise<void> {
    const { faults, trace, loop } = this.#simulation;
    faults.add('lostDiskSameId');
    trace.note(`fault: ${this.#machine.id} loses its disk and keeps its id, ${late.length} answers are late`);
    const { running } = leader;
    const { term } = leader.disk.log.hardState;
    this.#machine.wipe();
    this.#machine.start();
    while (this.#simulation.phase === 'storm' && leader.running === running && running?.process.life === 'up') {
      await loop.sleep(5);
      const { last, hardState } = this.#machine.disk.log;
      if (hardState.term > term) return;
      if (last === 0) continue;
      // It takes appends for this start of it only: this leader knows of it.
      for (const arrive of late) arrive();
      await loop.sleep(5);
      return;
    }
  }

  /** Whether the other voters hold all that is committed or that the leader counts this one for, and elected it alone. */
  #isHarmless(leader: Machine): boolean {
    const { operator, machines } = this.#simulation;
    const { id, disk, state } = this.#machine;
    const core = leader.replica?.consensus;
    const progress = core?.progress().find(({ peer }) => peer === id);
    const counted = progress?.state === 'replicate' ? progress.matchIndex : undefined;
    if (core === undefined || core.role !== 'leader' || counted === undefined || id === machines[0]?.id) return false;
    // One that stands still may have acknowledgements before it that it has not counted yet.
    if (leader.running?.process.life !== 'up') return false;
    if (state === 'gone' || state === 'refusing' || disk.damage !== 'none') return false;
    if (!operator.canLose(this.#machine) || !isWholeVoter(core.configuration, id)) return false;
    const { term } = core;
    if (disk.log.hardState.term !== term) return false;
    const others = core.configuration.voters.filter((voter) => voter !== id);
    const logs = others.map((voter) => ({ voter, log: this.#simulation.machine(voter)?.disk.log ?? null }));
    // Nobody may win this term any more, with a vote that is given twice.
    const isRival = ({ voter, log }: (typeof logs)[number]): boolean =>
      log?.hardState.term !== term || (log.hardState.vote === voter && voter !== leader.id);
    if (logs.some(isRival)) return false;
    // A leader that heard of another start of it counts from nothing again, but it may hold what is committed.
    const { reference } = this.#simulation.invariants;
    const needed = Math.max(counted, reference.last);
    const wanted = needed === reference.last ? reference.termAt(needed) : leader.memory?.termAt(needed);
    // A longer log of a deposed leader may hold something else there.
    const holding = logs.filter(({ log }) => log !== null && (log.base >= needed || log.termAt(needed) === wanted));
    return holding.length > (others.length + 1) / 2;
  }
}
