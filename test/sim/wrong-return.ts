import type { NodeId } from '../../src/ids.ts';
import type { Machine } from './machine.ts';
import { isWholeVoter } from './operator.ts';
import type { Simulation } from './simulation.ts';

/**
 * A follower loses its disk and comes back under its old id, which nobody must do. The design promises this much: where
 * the others do not need what it had promised, the leader starts it anew, and acknowledgements of its former start that
 * arrive late do not count (the session of a node).
 */
export class WrongReturn {
  readonly #simulation: Simulation;
  readonly #machine: Machine;

  constructor(simulation: Simulation, machine: Machine) {
    this.#simulation = simulation;
    this.#machine = machine;
  }

  async attempt(): Promise<void> {
    const { loop, network, operator, profile, faults, trace } = this.#simulation;
    const { leader } = operator;
    const { id } = this.#machine;
    if (leader === null || leader.id === id) return;
    network.clog(id, leader.id);
    // Until everything that it had sent before has arrived, so that all later answers wait at the link.
    await loop.sleep(profile.networkFaults.delayMs + 100);
    const late = network.takeClogged(id, leader.id);
    if (!this.#isHarmless(leader)) {
      for (const arrive of late) arrive();
      return;
    }
    faults.add('lostDiskSameId');
    trace.note(`fault: ${id} loses its disk and comes back under its old id, ${late.length} answers are late`);
    const { running } = leader;
    this.#machine.wipe();
    this.#machine.start();
    while (this.#simulation.phase === 'storm' && leader.running === running) {
      await loop.sleep(10);
      if (this.#machine.disk.log.last === 0) continue;
      for (const arrive of late) arrive();
      return;
    }
  }

  /** Whether the other voters hold everything that the leader counts this one for, and elected it without this one. */
  #isHarmless(leader: Machine): boolean {
    const { operator, machines } = this.#simulation;
    const { id, disk, state } = this.#machine;
    const core = leader.replica?.consensus;
    const counted = core?.progress().find(({ peer }) => peer === id)?.matchIndex;
    if (core === undefined || core.role !== 'leader' || counted === undefined || id === machines[0]?.id) return false;
    if (state === 'gone' || state === 'refusing' || disk.damage !== 'none') return false;
    if (!operator.canLose(this.#machine) || !isWholeVoter(core.configuration, id)) return false;
    const { term } = core;
    if (disk.log.hardState.term !== term) return false;
    const holds = (voter: NodeId): boolean => {
      const log = this.#simulation.machine(voter)?.disk.log;
      return (
        log !== undefined && log.last >= counted && log.hardState.term === term && log.hardState.vote === leader.id
      );
    };
    const { voters } = core.configuration;
    return voters.filter((voter) => voter !== id && holds(voter)).length > voters.length / 2;
  }
}
