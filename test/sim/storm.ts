import type { NodeId } from '../../src/ids.ts';
import type { Chance } from './chance.ts';
import type { FaultName } from './fault-names.ts';
import type { Machine } from './machine.ts';
import { Scenes } from './scenes.ts';
import { NO_FAULTS } from './sim-network.ts';
import type { Simulation } from './simulation.ts';
import { WrongReturn } from './wrong-return.ts';

const DOWN_MS = 1_200;
const SPLIT_MS = 1_200;

/** Does harm to a cluster for a while, and undoes what can be undone. */
export class Storm {
  readonly #simulation: Simulation;
  readonly #chance: Chance;
  readonly #scenes: Scenes;
  readonly #restarting = new Set<Machine>();
  #wrongReturn: 'none' | 'underWay' = 'none';

  constructor(simulation: Simulation, chance: Chance) {
    this.#simulation = simulation;
    this.#chance = chance;
    this.#scenes = new Scenes(simulation, chance.fork());
  }

  async rage(): Promise<void> {
    const { loop, profile, network, trace, faults } = this.#simulation;
    network.faults = profile.networkFaults;
    trace.note(`the storm begins: ${profile.faults.join(' ')}`);
    const end = loop.now + profile.stormMs;
    this.#simulation.watch(this.#restart());
    while (loop.now < end) {
      await loop.sleep(this.#chance.exponential(profile.faultMs));
      if (profile.faults.length === 0) continue;
      const name = this.#chance.pick(profile.faults);
      if (this.#strike(name) === 'struck') faults.add(name);
    }
  }

  /** From here on nothing goes wrong any more. */
  calm(): void {
    const { network, machines, trace } = this.#simulation;
    trace.note('the storm ends');
    network.faults = NO_FAULTS;
    network.joinLinks();
    network.unclogAll();
    for (const machine of machines) {
      machine.running?.process.goOn();
      if (machine.disk.trouble !== 'none') machine.kill();
      machine.disk.trouble = 'none';
      machine.disk.stalledUntil = 0;
      machine.start();
    }
  }

  /** Somebody, or the service manager, starts again what has ended. */
  async #restart(): Promise<void> {
    const { loop, machines } = this.#simulation;
    while (this.#simulation.phase !== 'over') {
      await loop.sleep(25);
      for (const machine of machines) {
        if (machine.state !== 'down' || this.#restarting.has(machine)) continue;
        this.#restarting.add(machine);
        loop.in(this.#chance.exponential(DOWN_MS), null, () => {
          this.#restarting.delete(machine);
          machine.disk.trouble = 'none';
          machine.start();
        });
      }
    }
  }

  #strike(name: FaultName): 'struck' | 'nothing' {
    const up = this.#simulation.machines.filter(({ replica }) => replica !== null);
    if (up.length === 0) return 'nothing';
    const { operator } = this.#simulation;
    const { leader } = operator;
    const machine = leader !== null && this.#chance.happens(0.4) ? leader : this.#chance.pick(up);
    const { electionMs } = this.#simulation.profile.timing;
    const { loop, trace } = this.#simulation;
    trace.note(`fault: ${name} ${machine.id}`);
    switch (name) {
      case 'kill':
        machine.kill();
        break;
      case 'powerLoss':
        machine.losePower();
        break;
      case 'powerLossOfAll':
        for (const each of up) each.losePower();
        break;
      case 'pause':
        machine.pauseFor(this.#chance.pick([20, 0.9 * electionMs, 2 * electionMs, 8 * electionMs]));
        break;
      case 'syncStall':
        machine.disk.stalledUntil = loop.now + this.#chance.pick([0.5, 1.5, 6]) * electionMs;
        break;
      case 'syncError':
        machine.disk.trouble = 'diskFailed';
        break;
      case 'diskFull':
        machine.disk.trouble = 'diskFull';
        break;
      case 'damagedDisk':
      case 'lostDisk':
        return this.#loseDisk(machine, name);
      case 'lostDiskSameId':
        this.#simulation.watch(this.#loseDiskOfOne(up));
        return 'nothing';
      case 'isolate':
      case 'majority':
      case 'ring':
      case 'bridge':
      case 'oneWay':
        this.#split(name, machine.id);
        break;
      case 'clog':
        this.#clog();
        break;
      case 'clockJump':
        machine.clock.ahead += this.#chance.pick([-1, 1]) * Math.floor(this.#chance.exponential(60_000));
        break;
      case 'transfer':
        this.#simulation.watch(operator.transferSomewhere());
        break;
      case 'membership':
        this.#simulation.watch(operator.changeSomething());
        break;
      case 'replaceVoters':
        this.#simulation.watch(this.#scenes.exchangeVoters());
        break;
      case 'depose':
        this.#simulation.watch(this.#scenes.depose(leader ?? machine));
        break;
      case 'readLate':
        this.#simulation.watch(this.#scenes.readLate(leader ?? machine));
        break;
      case 'writeAnew':
        this.#simulation.watch(this.#scenes.writeAnew(leader ?? machine));
        break;
    }
    return 'struck';
  }

  async #loseDiskOfOne(up: readonly Machine[]): Promise<void> {
    // Two at once would unclog each other's links, and what one is sure of would no longer hold.
    if (this.#wrongReturn === 'underWay') return;
    this.#wrongReturn = 'underWay';
    const returns = this.#chance.shuffled(up).map((each) => new WrongReturn(this.#simulation, this.#scenes, each));
    await returns.find(({ isPossible }) => isPossible)?.attempt();
    this.#wrongReturn = 'none';
  }

  #loseDisk(machine: Machine, how: 'damagedDisk' | 'lostDisk'): 'struck' | 'nothing' {
    const { operator } = this.#simulation;
    if (!operator.canLose(machine)) return 'nothing';
    if (how === 'lostDisk') machine.retire();
    else {
      machine.losePower();
      machine.disk.damage = 'flippedByte';
    }
    this.#simulation.watch(operator.replace(machine.id));
    return 'struck';
  }

  #split(how: 'isolate' | 'majority' | 'ring' | 'bridge' | 'oneWay', one: NodeId): void {
    const { network, machines, loop } = this.#simulation;
    const ids = this.#chance.shuffled(machines.map(({ id }) => id));
    const other = this.#chance.pick(ids);
    const half = Math.ceil(ids.length / 2);
    const cutUnless = (reach: (from: NodeId, to: NodeId) => boolean): void => {
      for (const from of ids) for (const to of ids) if (from !== to && !reach(from, to)) network.cut(from, to);
    };
    const side = (id: NodeId): boolean => ids.indexOf(id) < half;
    switch (how) {
      case 'isolate':
        cutUnless((from, to) => from !== one && to !== one);
        break;
      case 'majority':
        cutUnless((from, to) => side(from) === side(to));
        break;
      case 'ring':
        cutUnless((from, to) => {
          const apart = Math.abs(ids.indexOf(from) - ids.indexOf(to));
          return apart === 1 || apart === ids.length - 1;
        });
        break;
      case 'bridge':
        cutUnless((from, to) => from === one || to === one || side(from) === side(to));
        break;
      case 'oneWay':
        if (this.#chance.happens(0.5)) network.cut(one, other);
        else cutUnless((from) => from !== one);
        break;
    }
    loop.in(this.#chance.exponential(SPLIT_MS), null, () => network.joinLinks());
  }

  #clog(): void {
    const { network, machines, loop } = this.#simulation;
    for (let links = this.#chance.whole(1, 4); links > 0; links -= 1) {
      const [from, to] = this.#chance.shuffled(machines.map(({ id }) => id));
      if (from === undefined || to === undefined) return;
      network.clog(from, to);
      const order = this.#chance.pick(['kept', 'shuffled'] as const);
      loop.in(this.#chance.exponential(SPLIT_MS), null, () => network.unclog(from, to, order));
    }
  }
}
