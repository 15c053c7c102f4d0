import { SYSTEM } from '../../src/auth.ts';
import type { Incarnation } from '../../src/ids.ts';
import type { Command } from '../../src/state/commands.ts';
import type { ClusterState } from '../../src/state/state.ts';
import { ZERO } from '../../src/resources/resources.ts';
import { call } from './caller.ts';
import type { Chance } from './chance.ts';
import type { Simulation } from './simulation.ts';
import { LOCAL } from './client.ts';
import { EPOCH } from './node-process.ts';

/** Does what leaders and runners do with jobs, from what any replica believes: often too late, twice or wrongly. */
export class Worker {
  readonly #simulation: Simulation;
  readonly #chance: Chance;
  #runners = 0;

  constructor(simulation: Simulation, chance: Chance) {
    this.#simulation = simulation;
    this.#chance = chance;
  }

  async run(): Promise<void> {
    const { loop, profile } = this.#simulation;
    while (this.#simulation.phase === 'storm') {
      await loop.sleep(this.#chance.exponential(2 * profile.thinkMs));
      const machine = this.#simulation.anyMachine(this.#chance);
      await call({ loop, chance: this.#chance }, machine, async (replica) => {
        const command = this.#next(replica.state);
        return command === null ? [] : replica.propose(command.kind === 'drainRunner' ? LOCAL : SYSTEM, [command]);
      });
    }
  }

  #next(state: ClusterState): Command | null {
    if (state.cluster === null) return null;
    const runners = [...state.runners.values()];
    if (runners.length < 2 || this.#chance.happens(0.05)) return this.#register();
    const runner = this.#chance.pick(runners);
    const roll = this.#chance.float();
    if (roll < 0.03) return { kind: 'loseRunner', runner: runner.id, incarnation: runner.incarnation };
    if (roll < 0.06) return { kind: 'drainRunner', runner: runner.id, mode: this.#chance.pick(['drain', 'undrain']) };
    if (roll < 0.12) return { kind: 'clock' };
    const jobs = [...state.jobs.values()];
    if (jobs.length === 0) return null;
    const job = jobs[this.#chance.below(Math.min(jobs.length, 20))];
    if (job === undefined || job.state === 'waiting') return null;
    const at = EPOCH + Math.floor(this.#simulation.loop.now);
    if (job.state === 'queued') {
      const { id, incarnation } = runner;
      const assign = {
        kind: 'assign',
        job: job.id,
        attempt: job.past.length + 1,
        placement: { runner: id, incarnation },
      } as const;
      const before = this.#chance.happens(0.5) ? this.#chance.pick(jobs) : job;
      return before === job ? assign : { ...assign, behind: before.id };
    }
    const { attempt, incarnation, behind } = job.current;
    if (behind !== undefined && this.#chance.happens(0.3)) return { kind: 'handBack', job: job.id, index: job.index };
    if (job.state === 'assigned') return { kind: 'started', job: job.id, attempt, incarnation, at };
    const outcome = this.#chance.pick(['succeeded', 'succeeded', 'failed'] as const);
    const end = { outcome, exitCode: outcome === 'failed' ? 1 : 0, signal: null, reason: null, usage: null };
    return { kind: 'ended', job: job.id, attempt, incarnation, startedAt: at, endedAt: at, end };
  }

  #register(): Command {
    this.#runners += 1;
    const { machines } = this.#simulation;
    return {
      kind: 'registerRunner',
      runner: this.#chance.pick(machines).id,
      incarnation: `i${this.#runners}` as Incarnation,
      total: { ...ZERO, cpuMilli: 8_000, memoryBytes: 2 ** 34, diskBytes: 2 ** 40 },
      labels: {},
    };
  }
}
