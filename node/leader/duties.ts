import type { Logger } from 'pino';
import type { RoleChange } from '../../raft/effects.ts';
import type { ChangeEvent } from '../../src/state/apply.ts';
import type { TimingConfig } from '../config/config.ts';
import type { MemberReport } from '../member-messages.ts';
import type { Replica } from '../replica/replica.ts';
import type { NodeId } from '../../src/ids.ts';
import { LIMITS } from '../../src/limits.ts';
import type { LoadOf } from '../../src/scheduling/measured-load.ts';
import { CronLines } from '../cron/cron-line.ts';
import { Clock } from './clock.ts';
import { decidesAboutQueuedJobs } from './decides-about-queued-jobs.ts';
import { Firer, type FirerDependencies } from './firer.ts';
import { Leases } from './leases.ts';
import { LEADER_LIMITS, LEADER_TIMES } from './limits.ts';
import { Placer } from './placer.ts';
import { Purger } from './purger.ts';
import { Voters } from './voters.ts';

export interface LeaderDutiesDependencies {
  readonly self: NodeId;
  readonly replica: Replica;
  readonly logger: Logger;
  /** Where machines are busier than the state says. */
  readonly loadOf: LoadOf;
  readonly room: FirerDependencies['room'];
}

/** What a node does only while it leads. Begins once its state holds everything committed before its term. */
export class LeaderDuties {
  readonly leases: Leases;
  readonly #replica: Replica;
  readonly #placer: Placer;
  readonly #clock: Clock;
  readonly #firer: Firer;
  readonly #purger: Purger;
  readonly #voters: Voters;
  #timer: NodeJS.Timeout | null = null;
  #reviewedAt = 0;

  constructor({ self, replica, logger, loadOf, room }: LeaderDutiesDependencies, timing: TimingConfig) {
    this.#replica = replica;
    this.#placer = new Placer({ replica, logger, loadOf });
    this.#clock = new Clock(replica, logger);
    this.#firer = new Firer({ replica, logger, lines: new CronLines(), room }, LEADER_LIMITS);
    this.#purger = new Purger(
      { replica, logger },
      { finalJobs: LIMITS.finalJobs, batch: LEADER_LIMITS.purgesPerRound },
    );
    this.#voters = new Voters({ self, replica, logger, now: () => performance.now() });
    this.leases = new Leases(replica, logger, timing);
  }

  async roleChanged(change: RoleChange): Promise<void> {
    this.stop();
    if (change.role !== 'leader') return;
    await this.#replica.barrier().catch(() => undefined);
    if (this.#replica.isLeader && this.#replica.consensus.term === change.term) this.#start();
  }

  /** What this leader knows of the other members; null when this node does not lead. */
  memberReport(): MemberReport | null {
    return this.#voters.report();
  }

  configurationChanged(): void {
    if (this.#timer !== null) void this.#voters.review();
  }

  changed(events: readonly ChangeEvent[]): void {
    if (this.#timer === null) return;
    if (events.some(decidesAboutQueuedJobs)) this.#placer.wake();
    if (events.some(({ kind }) => kind === 'node')) void this.#voters.review();
    this.#clock.review();
    this.#firer.review();
    this.#purger.changed(events);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    const { leases } = this;
    for (const duty of [this.#placer, this.#clock, this.#firer, this.#purger, this.#voters, leases]) duty.stop();
  }

  #start(): void {
    if (this.#timer !== null) return;
    const { leases } = this;
    for (const duty of [leases, this.#voters, this.#clock, this.#firer, this.#placer, this.#purger]) duty.start();
    this.#reviewedAt = performance.now();
    this.#timer = setInterval(() => this.#review(), LEADER_TIMES.reviewMs);
  }

  #review(): void {
    const now = performance.now();
    if (now - this.#reviewedAt > 4 * LEADER_TIMES.reviewMs) this.#forgive();
    this.#reviewedAt = now;
    void this.leases.review();
    void this.#voters.review();
  }

  #forgive(): void {
    this.leases.forgive();
    this.#voters.forgive();
  }
}
