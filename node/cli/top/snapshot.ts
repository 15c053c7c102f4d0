import type { ClusterView, QueueView, RunnerView, StatsView } from '../../../src/api/views.ts';
import type { QuorateClient } from '../../../src/client/client.ts';
import { ApiError } from '../../../src/client/client-error.ts';
import { LIMITS } from '../../../src/limits.ts';
import { RateWindow } from '../rate-window.ts';

/** Jobs in a second; null where it takes another snapshot to know. */
export interface Rates {
  readonly submitted: number | null;
  readonly started: number | null;
  readonly ended: number | null;
}

/** What `top` shows, as of one moment. */
export interface Snapshot {
  /** RFC 3339, of this machine's clock. */
  readonly at: string;
  readonly stats: StatsView;
  readonly rates: Rates;
  /** Null where the token may not read it. */
  readonly cluster: ClusterView | null;
  readonly runners: readonly RunnerView[] | null;
  readonly queues: readonly QueueView[];
}

/** What rates are taken over. */
const RATES_MS = 5_000;
/** How long the members are asked before the node's own view has to do. */
const MEMBERS_MS = 2_000;
const ANSWER_MS = 10_000;

/** Takes snapshots through one client. What need not be of this very moment is read as the node that answers has it. */
export class SnapshotSource {
  readonly #client: QuorateClient;
  readonly #submitted = new RateWindow(RATES_MS);
  readonly #started = new RateWindow(RATES_MS);
  readonly #ended = new RateWindow(RATES_MS);

  constructor(client: QuorateClient) {
    this.#client = client;
  }

  /** @throws the client's errors, or the signal's reason */
  async take(over: AbortSignal): Promise<Snapshot> {
    const signal = AbortSignal.any([over, AbortSignal.timeout(ANSWER_MS)]);
    const stale = { consistency: 'stale', signal } as const;
    const { cluster, runners, queues } = this.#client;
    const [stats, page, members, machines] = await Promise.all([
      cluster.stats(stale),
      queues.list({ limit: LIMITS.listMax }, stale),
      whereAllowed(this.#cluster(signal)),
      whereAllowed(runners.list(stale)),
    ]);
    return {
      at: new Date().toISOString(),
      stats,
      rates: this.#rates(stats.totals, performance.now()),
      cluster: members,
      runners: machines,
      queues: page.items,
    };
  }

  #rates({ submitted, started, ended }: StatsView['totals'], atMs: number): Rates {
    const endings = Object.values(ended).reduce((sum, count) => sum + count, 0);
    return {
      submitted: this.#submitted.add(submitted, atMs),
      started: this.#started.add(started, atMs),
      ended: this.#ended.add(endings, atMs),
    };
  }

  /** With what the leader and the members say of themselves, where there is a leader and it answers soon. */
  async #cluster(signal: AbortSignal): Promise<ClusterView> {
    const own = await this.#client.cluster.get({ consistency: 'stale', signal });
    if (own.leader === null) return own;
    const soon = AbortSignal.any([signal, AbortSignal.timeout(MEMBERS_MS)]);
    return this.#client.cluster.get({ signal: soon }).catch(() => own);
  }
}

async function whereAllowed<Value>(asked: Promise<Value>): Promise<Value | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'forbidden') return null;
    throw error;
  }
}
