import type { Logger } from 'pino';
import { type JobAttempt, SYSTEM } from '../../src/auth.ts';
import { unreachable } from '../../src/errors.ts';
import type { Incarnation, NodeId } from '../../src/ids.ts';
import type { AttemptEnd, Job, LiveJob } from '../../src/jobs/job.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import type { Resources } from '../../src/resources/resources.ts';
import type { ChangeEvent } from '../../src/state/apply.ts';
import { jobsOnRunner } from '../../src/state/queries.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { Replica } from '../replica/replica.ts';
import type { AttemptKey, RunnerEvent, RunnerSupervisor } from '../runner/ports.ts';
import type { DispatchAnswer } from '../dispatch-messages.ts';
import type { JobFiles } from './job-files.ts';
import { LeaseRenewal } from './lease-renewal.ts';
import { Reports } from './reports.ts';
import { isToStop, Starter } from './starter.ts';
import { Successions } from './successions.ts';

type Ended = Extract<RunnerEvent, { kind: 'ended' }>;

const RETRY_PAUSE_MS = 500;
/** At most so long the runner is waited for to tell of the attempts that it holds. */
const HEAR_MS = 2_000;
const HEAR_PAUSE_MS = 5;

export interface RunnerHostDependencies {
  readonly self: NodeId;
  readonly replica: Replica;
  readonly supervisor: RunnerSupervisor;
  readonly network: PeerNetwork;
  readonly files: Pick<JobFiles, 'prepare' | 'stop' | 'discard' | 'withOutputs'>;
  readonly logger: Logger;
  /** At the leader: takes a renewal of this node's own runner. */
  readonly renewHere: (runner: NodeId, incarnation: Incarnation) => DispatchAnswer;
}

export interface RunnerHostOptions {
  readonly total: Resources;
  readonly labels: Readonly<Record<string, string>>;
  readonly leaseMs: number;
  /** Added to the environment of this attempt. */
  readonly jobEnv: (attempt: JobAttempt) => Readonly<Record<string, string>>;
}

/**
 * Stands between the replicated state and this machine's runner process: starts what the state assigns here, stops what
 * it no longer wants, and reports what became of it. Everything is idempotent by (job, attempt), so after a restart of
 * the node, of the runner or of the state it compares both and goes on.
 */
export class RunnerHost {
  readonly #dependencies: RunnerHostDependencies;
  readonly #options: RunnerHostOptions;
  readonly #reports: Reports;
  readonly #starter: Starter;
  readonly #successions: Successions;
  readonly #renewal: LeaseRenewal;
  #session: { readonly incarnation: Incarnation; readonly pid: number; registered: 'no' | 'asking' | 'yes' } | null =
    null;
  /** Attempts that the runner holds and has not told of since it was connected. */
  readonly #untold = new Set<string>();
  /** Attempts that have ended and whose outputs are being kept. */
  readonly #keeping = new Set<string>();
  /** The state holds what this node knew when it was stopped: what is on the disk may be older. */
  #caughtUp: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(dependencies: RunnerHostDependencies, options: RunnerHostOptions) {
    const { self, replica, supervisor, logger } = dependencies;
    this.#dependencies = dependencies;
    this.#options = options;
    this.#reports = new Reports({ runner: self, replica, supervisor, logger });
    this.#starter = new Starter(dependencies, {
      env: options.jobEnv,
      incarnation: () => (this.#stopped ? null : (this.#session?.incarnation ?? null)),
      failed: (event) => this.#reports.ended(event, this.#successions.ended(event)),
    });
    this.#successions = new Successions({ replica, logger, begin: (job) => this.#starter.begin(job) });
    this.#renewal = new LeaseRenewal(dependencies, options, {
      leader: () => replica.leader,
      isAlone: () => isAlone(replica, self),
      renewHere: (incarnation) => dependencies.renewHere(self, incarnation),
      renewed: (forMs) => supervisor.renew(forMs),
      unknown: () => void this.#register(),
    });
    supervisor.onEvent((event) => this.#onEvent(event));
  }

  /** The runner process is there; registering with the cluster goes on behind it. */
  async start(): Promise<{ readonly pid: number }> {
    await this.#connect();
    return { pid: this.#session?.pid ?? 0 };
  }

  get isRegistered(): boolean {
    return this.#session?.registered === 'yes';
  }

  get pid(): number | null {
    return this.#session?.pid ?? null;
  }

  changed(events: readonly ChangeEvent[]): void {
    for (const event of events) if (event.kind === 'job') this.#onJob(event.job, event.before);
  }

  /** The whole state was replaced, or this node's runner was registered. */
  reconcile(held: readonly AttemptKey[]): void {
    const { replica, self, supervisor } = this.#dependencies;
    const wanted = new Set<string>();
    const heldHere = new Set(held.map(nameOf));
    for (const id of jobsOnRunner(replica.state, self)) {
      const job = replica.state.jobs.get(id);
      if (job === undefined || (job.state !== 'assigned' && job.state !== 'running')) continue;
      if (job.current.incarnation !== this.#session?.incarnation) continue;
      const name = nameOf({ job: job.id, attempt: job.current.attempt });
      wanted.add(name);
      this.#successions.found(job, heldHere.has(name) ? 'held' : 'notHeld');
      if (isToStop(job)) this.#stop(job);
    }
    for (const attempt of held) {
      if (!wanted.has(nameOf(attempt))) supervisor.stop(attempt, 'lost');
    }
  }

  async stop(mode: 'keep' | 'killJobs'): Promise<void> {
    this.#stopped = true;
    this.#renewal.stop();
    this.#reports.stop();
    this.#successions.stop();
    await this.#dependencies.supervisor.close(mode);
  }

  async #connect(): Promise<void> {
    const { supervisor, replica, self } = this.#dependencies;
    const connected = await supervisor.connect();
    this.#session = { incarnation: connected.incarnation, pid: connected.pid, registered: 'no' };
    this.#untold.clear();
    this.#successions.clear();
    this.#starter.connected(connected.held);
    for (const attempt of connected.held) this.#untold.add(nameOf(attempt));
    if (isAlone(replica, self)) supervisor.renew(null);
    if (connected.held.length > 0) this.#caughtUp = this.#catchUp();
    void this.#register(connected.held);
  }

  async #register(held: readonly AttemptKey[] = []): Promise<void> {
    const session = this.#session;
    if (session === null || session.registered === 'asking') return;
    session.registered = 'asking';
    if (held.length > 0) {
      await this.#caughtUp;
      await this.#hearOut();
    }
    while (!this.#stopped && session === this.#session) {
      if (await this.#tryToRegister(session.incarnation)) {
        session.registered = 'yes';
        this.#renewal.start(session.incarnation);
        this.reconcile(held);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
    }
  }

  async #catchUp(): Promise<void> {
    while (!this.#stopped) {
      try {
        return await this.#dependencies.replica.barrier();
      } catch (error) {
        this.#dependencies.logger.info({ err: error }, 'the state has not caught up yet');
        await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
      }
    }
  }

  /** An end that an earlier runner process left has to be proposed before the registration, which would lose it. */
  async #hearOut(): Promise<void> {
    const until = performance.now() + HEAR_MS;
    while (this.#untold.size > 0 || this.#reports.waitingEnds > 0) {
      if (this.#stopped || performance.now() > until) return;
      await new Promise((resolve) => setTimeout(resolve, HEAR_PAUSE_MS));
    }
  }

  async #tryToRegister(incarnation: Incarnation): Promise<boolean> {
    const { replica, self, logger } = this.#dependencies;
    const { total, labels } = this.#options;
    const sentAt = performance.now();
    try {
      const [result] = await replica.propose(SYSTEM, [
        { kind: 'registerRunner', runner: self, incarnation, total, labels },
      ]);
      if (result?.ok === false) logger.error({ code: result.code, detail: result.message }, 'the runner was refused');
      if (result?.ok !== true) return false;
      this.#grantFirstLease(sentAt);
      return true;
    } catch (error) {
      logger.info({ err: error }, 'the runner is not registered yet');
      return false;
    }
  }

  /** From now on jobs are placed here: none may run without a limit where the first renewal does not get through. */
  #grantFirstLease(sentAt: number): void {
    const { replica, self, supervisor } = this.#dependencies;
    const left = Math.max(0, this.#options.leaseMs - (performance.now() - sentAt));
    supervisor.renew(isAlone(replica, self) ? null : left);
  }

  #onJob(job: Job, before: Job['state'] | null): void {
    const { self, supervisor } = this.#dependencies;
    if (job.state === 'assigned' || job.state === 'running') {
      if (job.current.runner !== self || job.current.incarnation !== this.#session?.incarnation) return;
      if (isToStop(job)) this.#stop(job);
      else if (job.state === 'assigned' && this.#isOfNow(job)) this.#successions.assigned(job);
      return;
    }
    if (before !== 'assigned' && before !== 'running') return;
    const last = job.past.at(-1);
    this.#successions.gone({ job: job.id, attempt: last?.attempt ?? 0 });
    if (last?.runner !== self || last.outcome !== 'lost') return;
    this.#starter.stop({ job: job.id, attempt: last.attempt });
    supervisor.stop({ job: job.id, attempt: last.attempt }, 'lost');
  }

  /**
   * Before this start of the node is registered, what comes may be from before it, and what is behind another have been
   * handed back since: `reconcile` sees to it.
   */
  #isOfNow({ current }: LiveJob): boolean {
    return current.behind === undefined || this.#session?.registered === 'yes';
  }

  /** For the runner a preempted attempt is a cancelled one: the state knows what it was stopped for. */
  #stop(job: LiveJob): void {
    const attempt = { job: job.id, attempt: job.current.attempt };
    this.#successions.stopped(job.id);
    this.#starter.stop(attempt);
    this.#dependencies.supervisor.stop(attempt, 'cancelled');
  }

  #onEvent(event: RunnerEvent): void {
    switch (event.kind) {
      case 'started':
        this.#untold.delete(nameOf(event));
        if (this.#session !== null) this.#reports.started(event, this.#session.incarnation);
        break;
      case 'ended':
        void this.#ended(event);
        break;
      case 'gone':
        void this.#replaceRunner();
        break;
      default:
        unreachable(event);
    }
  }

  /** Its room is free at once; the log hears of it when what it left is kept. */
  async #ended(event: Ended): Promise<void> {
    const name = nameOf(event);
    if (this.#keeping.has(name)) return;
    const room = this.#successions.ended(event);
    const spec = this.#specOf(event);
    const isEarly = spec === undefined && this.#session?.registered !== 'yes';
    if (isEarly || mayHaveOutputs(event, spec)) {
      this.#keeping.add(name);
      if (isEarly) await this.#caughtUp;
      const end = await this.#endWithOutputs(event);
      this.#keeping.delete(name);
      this.#reports.ended({ ...event, end }, room);
    } else {
      this.#reports.ended(event, room);
    }
    this.#untold.delete(name);
    this.#starter.ended(event);
  }

  async #endWithOutputs(event: Ended): Promise<AttemptEnd> {
    const spec = this.#specOf(event);
    if (!mayHaveOutputs(event, spec)) return event.end;
    return await this.#dependencies.files.withOutputs(event, spec, event.end);
  }

  #specOf({ job }: AttemptKey): JobSpec | undefined {
    return this.#dependencies.replica.state.jobs.get(job)?.spec;
  }

  async #replaceRunner(): Promise<void> {
    this.#renewal.stop();
    this.#session = null;
    while (!this.#stopped && this.#session === null) {
      try {
        await this.#connect();
      } catch (error) {
        this.#dependencies.logger.error({ err: error }, 'the runner process cannot be started');
        await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
      }
    }
  }
}

function nameOf({ job, attempt }: AttemptKey): string {
  return `${job}/${attempt}`;
}

/** No `spec`: the job is not live any more, and its end will be refused. */
function mayHaveOutputs({ startedAt, end, left }: Ended, spec: JobSpec | undefined): boolean {
  if (spec === undefined || startedAt === null || end.outcome === 'lost') return false;
  return left !== 'nothing' || (spec.outputs ?? []).length > 0;
}

/** One that was removed is not: the others may give its jobs to another runner. */
function isAlone(replica: Replica, self: NodeId): boolean {
  const { voters, outgoing, learners } = replica.consensus.configuration;
  return voters.length === 1 && voters[0] === self && outgoing.length === 0 && learners.length === 0;
}
