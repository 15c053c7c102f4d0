import { setTimeout as sleep } from 'node:timers/promises';
import { TestCluster } from '../support/cluster.ts';
import type { NodeApi } from '../support/node-api.ts';
import { waitUntil } from '../support/wait-until.ts';
import { formatNumber } from './figures.ts';
import { quantileOf } from './statistics.ts';
import type { BenchRun, Table } from './table.ts';

const KILLS = 50;
const CLIENTS_PER_NODE = 2;
const PAUSE_MS = 5;
const PAUSE_AFTER_FAILURE_MS = 10;
const TIMEOUT_MS = 5_000;
/** Between two kills once all is well, and up to as much more: they must not keep step with heartbeats. */
const CALM_MS = 500;

/** Submissions alone: the jobs wait for a date that does not come. */
const WAITING = { command: ['true'], notBefore: '2099-01-01T00:00:00Z' };

/**
 * From `kill -9` of the leader until a submission that was begun after it is acknowledged, by whichever node. The killed
 * one is started again, and catches up, before the next kill. All kills are of one cluster: there are no rounds.
 */
export const failover: Table = {
  name: 'failover',
  heading: 'Without service after the death of the leader',
  columns: ['kills', 'p50', 'p90', 'p99', 'longest', 'aim'],
  async measure(run) {
    const times = await measureKills(run, run.scaled(KILLS));
    const told = [0.5, 0.9, 0.99, 1].map((quantile) => `${formatNumber(quantileOf(times, quantile))} ms`);
    return [[String(times.length), ...told, 'p99 ≤ 1 s']];
  },
};

async function measureKills(run: BenchRun, count: number): Promise<readonly number[]> {
  const cluster = await TestCluster.start({ size: 3 });
  const clients = new Clients();
  try {
    for (const node of cluster.nodes) clients.use(await node.withToken(await cluster.adminToken()));
    const times: number[] = [];
    while (times.length < count) {
      await sleep(CALM_MS * (1 + Math.random()));
      times.push(await measureKill(cluster, clients));
      if (times.length % 10 === 0) run.tell(`failover: ${times.length} kills`);
    }
    return times;
  } catch (error) {
    run.tell(cluster.logTails());
    throw error;
  } finally {
    await clients.stop();
    cluster.end();
    run.removeAtTheEnd({ remove: () => cluster.removeFolder() });
  }
}

async function measureKill(cluster: TestCluster, clients: Clients): Promise<number> {
  const leader = await cluster.leader();
  const killedAt = performance.now();
  clients.watchFrom(killedAt);
  await leader.killNode();
  const servedAt = await waitUntil('a submission after the kill', () => clients.servedAt, { everyMs: 5 });
  await cluster.restart(leader);
  await caughtUp(cluster);
  return servedAt - killedAt;
}

async function caughtUp(cluster: TestCluster): Promise<void> {
  await waitUntil('all nodes to have what is committed', async () => {
    const views = await Promise.all(cluster.nodes.map((node) => node.api.cluster()));
    const committed = Math.max(...views.map((view) => view.commitIndex));
    const known = new Set(views.map((view) => view.leader));
    const near = views.every((view) => view.appliedIndex >= committed - 100);
    return near && known.size === 1 && !known.has(null) ? true : null;
  });
}

/** Submit all the time, each at one node. */
class Clients {
  readonly #apis: NodeApi[] = [];
  readonly #running: Promise<void>[] = [];
  #since = Infinity;
  #servedAt: number | null = null;
  #stopped = false;

  /** When the first submission that was begun since then was acknowledged. */
  get servedAt(): number | null {
    return this.#servedAt;
  }

  watchFrom(time: number): void {
    this.#since = time;
    this.#servedAt = null;
  }

  use(api: NodeApi): void {
    this.#apis.push(api);
    for (let index = 0; index < CLIENTS_PER_NODE; index += 1) this.#running.push(this.#client(api));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
    for (const api of this.#apis) api.close();
  }

  async #client(api: NodeApi): Promise<void> {
    while (!this.#stopped) {
      const begunAt = performance.now();
      const done = await submit(api);
      if (done && begunAt >= this.#since) this.#servedAt ??= performance.now();
      await sleep(done ? PAUSE_MS : PAUSE_AFTER_FAILURE_MS);
    }
  }
}

async function submit({ http }: NodeApi): Promise<boolean> {
  try {
    return (await http.post('/v1/jobs', WAITING, { timeoutMs: TIMEOUT_MS })).status === 201;
  } catch {
    return false;
  }
}
