import { SYSTEM } from '../../src/auth.ts';
import type { JobId, NodeId } from '../../src/ids.ts';
import type { Configuration } from '../../raft/types.ts';
import { Chance } from './chance.ts';
import { Client } from './client.ts';
import { EventLoop } from './event-loop.ts';
import { checkHealed } from './final-checks.ts';
import { History } from './history.ts';
import { Invariants } from './invariants.ts';
import { Machine, type World } from './machine.ts';
import { Operator } from './operator.ts';
import { profileOf, type Profile } from './profile.ts';
import { SimNetwork } from './sim-network.ts';
import { Storm } from './storm.ts';
import { Tally } from './tally.ts';
import { Trace } from './trace.ts';
import { Violation } from './violation.ts';
import { Worker } from './worker.ts';
import { call } from './caller.ts';

export interface RunOptions {
  readonly seed: number;
  /** Takes the trace line by line. */
  readonly print?: (line: string) => void;
}

export interface RunReport {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly hash: string;
  readonly virtualMs: number;
  readonly events: number;
  readonly entries: number;
  readonly faults: Tally;
  readonly tally: Tally;
  readonly history: History;
}

const NOBODY: Configuration = { voters: [], outgoing: [], learners: [], learnersNext: [] };
/** A cluster whose logs stand still for so long is stuck; one that was given small limits and slow disks may take more. */
const PATIENCE_MS = 60_000;
const PATIENCE_MAX_MS = 20 * PATIENCE_MS;
const EVENTS_MAX = 5_000_000;

/** One run of a whole cluster; its seed decides everything. */
export class Simulation implements World {
  readonly chance: Chance;
  readonly profile: Profile;
  readonly loop: EventLoop;
  readonly trace: Trace;
  readonly network: SimNetwork;
  readonly invariants: Invariants;
  readonly history = new History();
  readonly faults = new Tally();
  readonly tally = new Tally();
  readonly machines: Machine[] = [];
  /** Every submission ever tried, and those that a client was told are taken. */
  readonly submissions: { readonly key: string; readonly job: JobId }[] = [];
  readonly acknowledged = new Map<string, JobId>();
  readonly operator: Operator;
  readonly #seed: number;
  readonly #byOwner = new Map<object, Machine>();
  readonly #byId = new Map<NodeId, Machine>();
  #jobs = 0;
  phase: 'founding' | 'storm' | 'healing' | 'over' = 'founding';

  constructor({ seed, print }: RunOptions) {
    this.#seed = seed;
    this.chance = new Chance(seed);
    this.profile = profileOf(this.chance.fork());
    this.loop = new EventLoop((owner) => this.#settled(owner));
    this.trace = new Trace(() => this.loop.now, print ?? null);
    const { loop, trace, faults } = this;
    this.network = new SimNetwork({ loop, trace, tally: faults, chance: this.chance.fork() }, this.profile.network);
    this.invariants = new Invariants((id) => this.#byId.get(id)?.disk.log ?? null);
    this.operator = new Operator(this, this.chance.fork());
  }

  async run(): Promise<RunReport> {
    let violation: Violation | null = null;
    try {
      this.watch(this.#script());
      await this.loop.run();
    } catch (error) {
      violation =
        error instanceof Violation ? error : new Violation('no unexpected error', String(error), { cause: error });
      this.trace.note(`violation: ${violation.message}`);
    }
    return {
      seed: this.#seed,
      violation,
      hash: this.trace.hash,
      virtualMs: this.loop.now,
      events: this.loop.count,
      entries: this.invariants.reference.last,
      faults: this.faults,
      tally: this.tally,
      history: this.history,
    };
  }

  /** What goes wrong in it ends the run. */
  watch(task: Promise<unknown>): void {
    void task.catch((error: unknown) => this.loop.fail(error));
  }

  violate(invariant: string, message: string): void {
    this.loop.fail(new Violation(invariant, message));
  }

  addMachine(kind: 'founder' | 'joiner' = 'joiner'): Machine {
    const id = `n${this.machines.length + 1}` as NodeId;
    const machine = new Machine(this, id, kind === 'founder' ? { ...NOBODY, voters: [id] } : NOBODY);
    this.machines.push(machine);
    this.#byId.set(id, machine);
    return machine;
  }

  machine(id: NodeId): Machine | null {
    return this.#byId.get(id) ?? null;
  }

  /** Mostly one that is up: a client that finds nobody tries another. */
  anyMachine(chance: Chance): Machine {
    const up = this.machines.filter(({ replica }) => replica !== null);
    return chance.pick(up.length === 0 ? this.machines : up);
  }

  newJobId(): JobId {
    this.#jobs += 1;
    return `018f0000-0000-7000-8000-${String(this.#jobs).padStart(12, '0')}` as JobId;
  }

  /** Waits in virtual time until something holds. @throws Violation when it never does */
  async until(what: string, holds: () => boolean): Promise<void> {
    const latest = this.loop.now + PATIENCE_MAX_MS;
    let deadline = this.loop.now + PATIENCE_MS;
    let written = this.#written;
    while (!holds()) {
      if (this.loop.now > Math.min(deadline, latest)) throw new Violation('the cluster heals', what);
      await this.loop.sleep(20);
      if (this.#written === written) continue;
      written = this.#written;
      deadline = this.loop.now + PATIENCE_MS;
    }
  }

  /** Grows with each entry that a disk takes. */
  get #written(): number {
    return this.machines.reduce((sum, { disk }) => sum + disk.log.last, 0);
  }

  async #script(): Promise<void> {
    await this.#found();
    this.phase = 'storm';
    for (let i = 1; i <= this.profile.clients; i += 1) this.watch(new Client(i, this, this.chance.fork()).run());
    for (let i = 0; i < 2; i += 1) this.watch(new Worker(this, this.chance.fork()).run());
    const storm = new Storm(this, this.chance.fork());
    await storm.rage();
    this.phase = 'healing';
    storm.calm();
    await checkHealed(this);
    this.phase = 'over';
    this.loop.stop();
  }

  async #found(): Promise<void> {
    const founder = this.addMachine('founder');
    founder.start();
    await this.until('the founder leads', () => founder.replica?.isLeader === true);
    const auth = 'loopbackOpen';
    await call(this, founder, (replica) => replica.propose(SYSTEM, [{ kind: 'createCluster', clusterId: 'c', auth }]));
    while (this.machines.length < this.profile.machines) this.addMachine().start();
    await this.operator.reach(this.profile.voters);
  }

  #settled(owner: object | null): void {
    if (this.loop.count > EVENTS_MAX) throw new Violation('the run ends', 'too many events');
    const machine = owner === null ? null : this.#machineOf(owner);
    if (machine !== null) this.invariants.check(machine);
  }

  #machineOf(owner: object): Machine | null {
    const known = this.#byOwner.get(owner);
    if (known !== undefined) return known.running?.process === owner ? known : null;
    const found = this.machines.find((machine) => machine.running?.process === owner) ?? null;
    if (found !== null) this.#byOwner.set(owner, found);
    return found;
  }
}

export function simulate(options: RunOptions): Promise<RunReport> {
  return new Simulation(options).run();
}
