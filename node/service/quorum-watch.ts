import type { Logger } from 'pino';
import { Gauge, type Registry } from 'prom-client';
import { WARNING_CODES, type WarningView } from '../../src/api/views.ts';
import { clusterWarnings, faultTolerance, type MemberPicture } from './cluster-warnings.ts';

const REVIEW_MS = 1_000;
/** What is seen fewer times in a row may pass by itself: a restart, an election. */
const SEEN_BEFORE_TOLD = 3;

export interface QuorumWatchDependencies {
  readonly logger: Logger;
  readonly registry: Registry;
  readonly look: () => MemberPicture;
  /** Who warns: the leader, or whoever has none. */
  readonly role: () => 'leads' | 'follows' | 'leaderless';
}

/** Warns, once a change, when the cluster comes near to losing its quorum; the metrics tell it at every moment. */
export class QuorumWatch {
  readonly #parts: QuorumWatchDependencies;
  readonly #seen = new Map<string, { readonly warning: WarningView; readonly times: number }>();
  readonly #told = new Map<string, WarningView>();
  #timer: NodeJS.Timeout | null = null;

  constructor(dependencies: QuorumWatchDependencies) {
    this.#parts = dependencies;
    registerGauges(dependencies.registry, dependencies.look);
  }

  start(): void {
    this.#timer ??= setInterval(() => this.review(), REVIEW_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  review(): void {
    const { look, role } = this.#parts;
    if (role() === 'follows') {
      this.#seen.clear();
      this.#told.clear();
      return;
    }
    const now = new Map(clusterWarnings(look()).map((warning) => [keyOf(warning), warning]));
    this.#takeBack(now);
    for (const [key, warning] of now) this.#see(key, warning);
  }

  #see(key: string, warning: WarningView): void {
    const times = (this.#seen.get(key)?.times ?? 0) + 1;
    this.#seen.set(key, { warning, times });
    if (times < SEEN_BEFORE_TOLD || this.#told.has(key)) return;
    this.#told.set(key, warning);
    const { code, detail, member } = warning;
    this.#parts.logger.warn({ code, detail, member }, 'the cluster needs attention');
  }

  #takeBack(now: ReadonlyMap<string, WarningView>): void {
    for (const key of this.#seen.keys()) if (!now.has(key)) this.#seen.delete(key);
    for (const [key, { code, member }] of this.#told) {
      if (now.has(key)) continue;
      this.#told.delete(key);
      this.#parts.logger.info({ code, member }, 'a warning about the cluster is over');
    }
  }
}

function keyOf({ code, member }: WarningView): string {
  return `${code} ${member ?? ''}`;
}

function registerGauges(registry: Registry, look: () => MemberPicture): void {
  const registers = [registry];
  new Gauge({
    name: 'quorate_cluster_fault_tolerance',
    help: 'How many more voters may fail before nothing is taken any more, as this node sees it.',
    registers,
    collect() {
      this.set(faultTolerance(look()));
    },
  });
  new Gauge({
    name: 'quorate_cluster_voters',
    help: 'Voters, by whether this node hears of them; the leader knows best.',
    labelNames: ['health'],
    registers,
    collect() {
      const { configuration, isAlive } = look();
      const alive = configuration.voters.filter(isAlive).length;
      this.set({ health: 'alive' }, alive);
      this.set({ health: 'unreachable' }, configuration.voters.length - alive);
    },
  });
  new Gauge({
    name: 'quorate_cluster_warnings',
    help: 'Warnings about the members, by code, as this node sees them.',
    labelNames: ['code'],
    registers,
    collect() {
      const warnings = clusterWarnings(look());
      for (const code of WARNING_CODES) this.set({ code }, warnings.filter((warning) => warning.code === code).length);
    },
  });
}
