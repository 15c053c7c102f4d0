import { setTimeout as sleep } from 'node:timers/promises';
import type { GroupView, JobView } from '../../src/api/views.ts';
import { TestCluster } from '../support/cluster.ts';
import { expectStatus } from '../support/node-api.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { waitUntil } from '../support/wait-until.ts';
import { longestDelayMs } from './event-loop-delay.ts';
import { formatNumber } from './figures.ts';
import { GeneratorProcess } from './generator-process.ts';
import { targetOf } from './jobs.ts';
import { processorTimeOf } from './processor-time.ts';
import { residentMiB } from './resident.ts';
import type { BenchRun, Table } from './table.ts';

const JOBS = 1_000_000;
const CHILDREN = 100_000;
const DRAINED = 2_000;
const CANCELLED = 50;
const QUEUE = 'many';
/** All are to be submitted before the first is due: so long, and this much more for each. */
const EXPIRY_S = 20;
const EXPIRY_S_PER_JOB = 1 / 8_000;
const PATIENCE_MS = 30 * 60_000;

type Row = [what: string, measured: string, processor: string, delay: string];

/**
 * A million jobs that wait in one paused queue and belong to one group, end to end, on one node and on three. What ends
 * all of them at once is done in parts.
 */
export const million: Table = {
  name: 'million',
  heading: 'A million jobs that wait',
  columns: ['what', 'measured', 'processor time of the nodes', 'longest event-loop delay'],
  async measure(run) {
    return [...(await measureCluster(run, 1)), ...(await measureExpiry(run)), ...(await measureCluster(run, 3))];
  },
};

async function measureCluster(run: BenchRun, size: 1 | 3): Promise<readonly Row[]> {
  return withCluster(run, size, async (bench) => {
    const count = run.scaled(JOBS);
    await bench.submitWaiting(count, {});
    await bench.lookAtThem(count);
    await bench.cancelSome();
    await bench.restart();
    if (size === 1) await bench.join();
    await bench.drain(Math.min(DRAINED, count / 2));
    await bench.cancelAll();
    if (size === 1) await bench.cancelChildren(run.scaled(CHILDREN));
  });
}

async function measureExpiry(run: BenchRun): Promise<readonly Row[]> {
  return withCluster(run, 1, async (bench) => {
    const count = run.scaled(JOBS);
    await bench.expire(count, Math.ceil(EXPIRY_S + count * EXPIRY_S_PER_JOB));
  });
}

async function withCluster(
  run: BenchRun,
  size: 1 | 3,
  measure: (bench: MillionBench) => Promise<void>,
): Promise<readonly Row[]> {
  const cluster = await TestCluster.start({ size });
  const generator = new GeneratorProcess();
  try {
    const bench = new MillionBench(cluster, generator, (text) => run.tell(`million: ${text}`));
    await measure(bench);
    return bench.rows;
  } catch (error) {
    run.tell(cluster.logTails());
    throw error;
  } finally {
    generator.close();
    cluster.end();
    run.removeAtTheEnd({ remove: () => cluster.removeFolder() });
  }
}

interface Cost {
  readonly processorMs: number;
  readonly delayMs: number;
}

class MillionBench {
  readonly rows: Row[] = [];
  readonly #cluster: TestCluster;
  readonly #generator: GeneratorProcess;
  readonly #tell: (text: string) => void;
  readonly #place: string;
  /** Processor milliseconds by process, as they were last looked at. */
  readonly #used = new Map<number, number>();
  #group = '';

  constructor(cluster: TestCluster, generator: GeneratorProcess, tell: (text: string) => void) {
    this.#cluster = cluster;
    this.#generator = generator;
    this.#tell = tell;
    this.#place = cluster.nodes.length === 1 ? 'one node' : 'three nodes';
  }

  async submitWaiting(count: number, extra: object): Promise<void> {
    const { node } = this;
    await this.#setPaused(true);
    const { id } = expectStatus(await node.api.http.post('/v1/groups', {}), 201).json<GroupView>();
    this.#group = id;
    const spec = {
      command: ['true', '--case', 'a-case-of-many'],
      name: 'one of many',
      queue: QUEUE,
      group: id,
      ...extra,
    };
    await this.#batch(`${formatNumber(count)} submitted in a batch`, count, { ...spec, resources: { cpu: 0.1 } });
    this.#row('memory of each node then', await this.#resident(), null);
  }

  async lookAtThem(count: number): Promise<void> {
    const { api } = this.node;
    const path = `queue=${QUEUE}&state=queued&limit=100`;
    const first = await this.#time(() => api.jobs(path));
    let { items } = await api.jobs(`group=${this.#group}&limit=1000`);
    for (let passed = items.length; passed < Math.min(count / 2, 20_000); passed += items.length) {
      ({ items } = await api.jobs(`group=${this.#group}&limit=1000&cursor=${items.at(-1)?.id}`));
    }
    const middle = items.at(-1) as JobView;
    const later = await this.#time(() => api.jobs(`${path}&cursor=${middle.id}`));
    const explained = await this.#time(() => api.http.get(`/v1/jobs/${middle.id}/explain`));
    this.#row('100 of them listed by queue and state', `${ms(first)}, further on ${ms(later)}`, await this.#cost());
    this.#row('one in the middle explained', ms(explained), await this.#cost());
  }

  async cancelSome(): Promise<void> {
    const { api } = this.node;
    const { items } = await api.jobs(`queue=${QUEUE}&state=queued&limit=${CANCELLED}`);
    const took = await this.#time(async () => {
      for (const { id } of items) await api.cancel(id);
    });
    this.#row(`${items.length} cancelled, each`, ms(took / items.length), await this.#cost());
  }

  /** Of a follower where there is one. */
  async restart(): Promise<void> {
    const [follower] = this.#cluster.nodes.length === 1 ? [this.node] : await this.#cluster.followers();
    const node = follower ?? this.node;
    await node.stop();
    const took = await this.#time(() => this.#cluster.restart(node));
    const resident = await residentMiB((await node.requireFile()).pids.node);
    this.#row('restart, until it is ready', `${seconds(took)}, ${formatNumber(resident)} MiB then`, await this.#cost());
  }

  async join(): Promise<void> {
    await this.#cost();
    const took = await this.#time(() => this.#cluster.join());
    const cost = await this.#cost();
    const node = this.#cluster.nodes.at(-1) as NodeProcess;
    const { nodeId } = await node.requireFile();
    this.#row('another node joins, until it is ready', seconds(took), cost);
    expectStatus(await this.node.api.http.send('DELETE', `/v1/cluster/members/${nodeId}?force=true`, {}), 200);
    await node.ended();
    this.#cluster.nodes.pop();
  }

  /** Lets some of them run. */
  async drain(count: number): Promise<void> {
    await this.#cost();
    await this.#setPaused(false);
    let ended = 0;
    const took = await this.#time(async () => {
      await waitUntil(
        `${count} to end`,
        async () => ((ended = (await this.#counts()).succeeded) >= count ? true : null),
        {
          timeoutMs: PATIENCE_MS,
        },
      );
    });
    await this.#setPaused(true);
    const { items } = await this.node.api.jobs('state=succeeded&limit=1000');
    const what = `then given out, at most ${placesOff(items)} places away from their order`;
    this.#row(what, `${formatNumber((ended / took) * 1000)}/s`, await this.#cost());
  }

  async cancelAll(): Promise<void> {
    await waitUntil('nothing to run', async () => {
      const { assigned, running } = await this.#counts();
      return assigned + running === 0 ? true : null;
    });
    const { queued } = await this.#counts();
    await this.#untilAllEnded(`their group cancelled, ${formatNumber(queued)} in it`, queued, async () => {
      expectStatus(await this.node.api.http.post(`/v1/groups/${this.#group}/cancel`, {}), 200);
    });
  }

  async cancelChildren(count: number): Promise<void> {
    const { api } = this.node;
    const { id: group } = expectStatus(await api.http.post('/v1/groups', {}), 201).json<GroupView>();
    this.#group = group;
    const parent = await api.submit({ command: ['sleep', '3600'], resources: { cpu: 0 } });
    const child = { command: ['true'], queue: QUEUE, group, parent: parent.id };
    await this.#batch(`${formatNumber(count)} children of one job submitted`, count, child);
    await this.#untilAllEnded('their parent cancelled, and they with it', count, () => api.cancel(parent.id));
  }

  /** All of them are due while the node is away. */
  async expire(count: number, withinS: number): Promise<void> {
    const due = performance.now() + withinS * 1000;
    await this.submitWaiting(count, { queueTimeout: `${withinS}s` });
    if (performance.now() > due) throw new Error('the first were due before the last was submitted');
    const submitted = performance.now();
    await this.node.stop();
    await sleep(submitted + withinS * 1000 - performance.now());
    this.rows.length = 0;
    const began = performance.now();
    await this.#untilAllEnded(`${formatNumber(count)} that expire at once, restart included`, count, () =>
      this.#cluster.restart(this.node),
    );
    this.#tell(`all expired ${seconds(performance.now() - began)} after the start`);
  }

  /** Asked for everything. */
  get node(): NodeProcess {
    return this.#cluster.node(0);
  }

  async #batch(what: string, count: number, spec: object): Promise<void> {
    await this.#cost();
    const target = await targetOf(this.node, await this.#cluster.adminToken());
    const { perSecond } = await this.#generator.run({ kind: 'batch', target, count, spec: JSON.stringify(spec) });
    this.#row(what, `${formatNumber(perSecond)}/s`, await this.#cost());
  }

  async #untilAllEnded(what: string, count: number, begin: () => Promise<unknown>): Promise<void> {
    if (this.node.running) await this.#cost();
    const took = await this.#time(async () => {
      await begin();
      await waitUntil(
        'all to have ended',
        async () => {
          const { queued, assigned, running } = await this.#counts();
          return queued + assigned + running === 0 ? true : null;
        },
        { timeoutMs: PATIENCE_MS, everyMs: 200 },
      );
    });
    this.#row(what, `${seconds(took)}, ${formatNumber((count / took) * 1000)}/s`, await this.#cost());
  }

  async #counts(): Promise<GroupView['counts']> {
    return expectStatus(await this.node.api.http.get(`/v1/groups/${this.#group}`), 200).json<GroupView>().counts;
  }

  async #setPaused(paused: boolean): Promise<void> {
    const body = JSON.stringify({ paused });
    expectStatus(await this.node.api.http.send('PUT', `/v1/queues/${QUEUE}`, { body }), 200);
  }

  async #time(work: () => Promise<unknown>): Promise<number> {
    const began = performance.now();
    await work();
    return performance.now() - began;
  }

  /** Of all nodes, since it was asked before or since they began. */
  async #cost(): Promise<Cost> {
    const { nodes } = this.#cluster;
    const delays = await Promise.all(nodes.map(({ api }) => longestDelayMs(api)));
    let processorMs = 0;
    for (const node of nodes) {
      const { pids } = await node.requireFile();
      const { ownMs } = await processorTimeOf(pids.node);
      processorMs += ownMs - (this.#used.get(pids.node) ?? 0);
      this.#used.set(pids.node, ownMs);
    }
    return { processorMs, delayMs: Math.max(...delays) };
  }

  async #resident(): Promise<string> {
    const files = await Promise.all(this.#cluster.nodes.map((node) => node.requireFile()));
    const sizes = await Promise.all(files.map(({ pids }) => residentMiB(pids.node)));
    return `${sizes.map((size) => formatNumber(size)).join(', ')} MiB`;
  }

  #row(what: string, measured: string, cost: Cost | null): void {
    const processor = cost === null ? '' : seconds(cost.processorMs);
    const delay = cost === null ? '' : ms(cost.delayMs);
    this.rows.push([`${this.#place}: ${what}`, measured, processor, delay]);
    this.#tell(`${this.#place}: ${what}: ${measured}; ${processor}; ${delay}`);
  }
}

/** Between the order in which jobs were submitted and that in which they were assigned. Times tell no more than milliseconds. */
function placesOff(jobs: readonly JobView[]): number {
  const bySubmission = jobs.toSorted(
    (a, b) => Date.parse(a.submittedAt) - Date.parse(b.submittedAt) || (a.id < b.id ? -1 : 1),
  );
  const assignedAt = bySubmission.map(({ attempts }) => Date.parse(attempts[0]?.assignedAt ?? ''));
  const earliestLater = assignedAt.map((_, n) =>
    assignedAt.slice(n + 1).findLastIndex((at) => at < (assignedAt[n] ?? 0)),
  );
  return Math.max(...earliestLater) + 1;
}

function ms(value: number): string {
  return `${formatNumber(value, value < 10 ? 1 : 0)} ms`;
}

function seconds(value: number): string {
  return `${formatNumber(value / 1000, 1)} s`;
}
