import { expect } from 'vitest';
import type { JobView } from '../../../src/api/views.ts';
import { checkLinearizable } from '../linearizability/check.ts';
import { expectLinearizable } from '../linearizability/tell.ts';
import type { NodeProcess } from '../node-process.ts';
import { waitUntil } from '../wait-until.ts';
import type { TestCluster } from '../cluster.ts';
import { JobLoad, type Ack, type Server } from './job-load.ts';
import { JOBS } from './job-model.ts';
import type { Lab } from './lab.ts';
import { heal } from './links.ts';

/** A fault lasts at least so long, so that what comes after the first reaction is seen too. */
const FAULT_MS = 3_000;
const HEAL_TIMEOUT_MS = 90_000;

export interface FaultRunDependencies {
  readonly cluster: TestCluster;
  readonly lab: Lab;
}

let runs = 0;

/** One fault on a cluster under load, from the first acknowledged job to the verdict about all that clients were told. */
export class FaultRun {
  readonly cluster: TestCluster;
  readonly lab: Lab;
  readonly load: JobLoad;
  readonly #name: string;
  readonly #servers: Server[] = [];
  readonly #figures: string[] = [];
  #faultAt = 0;

  static async start(name: string, dependencies: FaultRunDependencies): Promise<FaultRun> {
    runs += 1;
    const run = new FaultRun(name, dependencies, new JobLoad(`run${runs}-${process.pid}`, runs));
    for (const node of run.cluster.nodes) await run.use(node);
    await run.everyNodeServes(performance.now());
    run.#faultAt = performance.now();
    return run;
  }

  private constructor(name: string, { cluster, lab }: FaultRunDependencies, load: JobLoad) {
    this.#name = name;
    this.cluster = cluster;
    this.lab = lab;
    this.load = load;
  }

  async use(node: NodeProcess): Promise<void> {
    const server = { name: node.name, api: await node.withToken(await this.cluster.adminToken()) };
    this.#servers.push(server);
    this.load.use(server);
  }

  /** From now on nobody asks it, and nothing is expected of it. */
  forget(node: NodeProcess): void {
    const index = this.#servers.findIndex((server) => server.name === node.name);
    this.#servers.splice(index, 1);
  }

  /** Waits for an acknowledged change that was begun after the fault, and notes how long there was none. */
  async servesAgain(since: number, what: string, among?: readonly NodeProcess[]): Promise<void> {
    const ack = await waitUntil(
      `an acknowledged change after ${what}`,
      () => {
        if (among === undefined) return this.load.firstAckSince(since);
        const acks = among.flatMap((node) => this.load.firstAckSince(since, node.name) ?? []);
        return acks.toSorted((a, b) => a.at - b.at)[0] ?? null;
      },
      { timeoutMs: HEAL_TIMEOUT_MS, everyMs: 10 },
    );
    this.#note(`after ${what}`, ack, since);
  }

  /** Lets a fault last. */
  async last(since: number, ms = FAULT_MS): Promise<void> {
    await waitUntil('the fault to last', () => (performance.now() - since >= ms ? true : null), { timeoutMs: ms * 2 });
  }

  async everyNodeServes(since: number): Promise<Ack> {
    const acks: Ack[] = [];
    for (const { name } of this.#servers) {
      acks.push(
        await waitUntil(`${name} to acknowledge`, () => this.load.firstAckSince(since, name), {
          timeoutMs: HEAL_TIMEOUT_MS,
          everyMs: 10,
        }),
      );
    }
    return acks.reduce((last, ack) => (ack.at > last.at ? ack : last));
  }

  /** Everything is as before, and every node serves; then the clients stop and what they were told is judged. */
  async end(): Promise<void> {
    const healedAt = performance.now();
    heal(this.lab.hosts);
    this.#note('at every node after the end of the fault', await this.everyNodeServes(healedAt), healedAt);
    await this.load.stop();
    for (const server of this.#servers) await this.load.readAll(server);
    const [server] = this.#servers;
    const runs = server === undefined ? [] : await this.load.waitForRuns(server);
    this.#tell();
    expect(runs.filter((job) => job.state !== 'succeeded').map(tellRun)).toEqual([]);
    expect(this.load.wrong, 'answers that no fault excuses').toEqual([]);
    expectLinearizable(JOBS, checkLinearizable(JOBS, this.load.history));
  }

  /** After a failure too. */
  async abandon(): Promise<void> {
    heal(this.lab.hosts);
    await this.load.stop();
    for (const { api } of this.#servers) api.close();
  }

  #note(what: string, ack: Ack, since: number): void {
    this.#figures.push(`${Math.round(ack.at - since)} ms ${what} (${ack.server})`);
  }

  #tell(): void {
    const { history, ids, failures, runs } = this.load;
    const unknown = history.filter((operation) => operation.return === null).length;
    const lines = [
      `${this.#name}: ${history.length} operations on ${ids.size} jobs, ${unknown} of unknown outcome, and ${runs.length} jobs that ran`,
      `  acknowledged again: ${this.#figures.join('; ')}`,
      `  longest time without: ${tellLongestGap(this.load.acks, this.#faultAt)}`,
      `  instead of answers: ${failures.size === 0 ? 'nothing' : [...failures].map(([code, count]) => `${code} ${count}`).join(', ')}`,
    ];
    console.log(lines.join('\n'));
  }
}

function tellRun({ id, state, reason, attempts }: JobView): string {
  const told = attempts.map((attempt) => `${attempt.runner} ${attempt.state} ${attempt.reason ?? ''}`);
  return `${id} ${state} ${reason ?? ''}: ${told.join('; ')}`;
}

/** Between acknowledgements, by any node. */
function tellLongestGap(acks: readonly Ack[], faultAt: number): string {
  const times = acks.map((ack) => ack.at).sort((a, b) => a - b);
  const gaps = times.slice(1).map((at, index) => ({ at: times[index] ?? at, ms: at - (times[index] ?? at) }));
  const longest = gaps.reduce((found, gap) => (gap.ms > found.ms ? gap : found), { at: faultAt, ms: 0 });
  return `${Math.round(longest.ms)} ms, ${Math.round(longest.at - faultAt)} ms into the fault`;
}
