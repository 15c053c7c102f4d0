import { mkdirSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Fault, unreachable } from '../../src/errors.ts';
import { findRunner } from './find-runner.ts';
import { attemptName, runnerLayout, runnerRoot } from './layout.ts';
import type { AttemptEvent } from './messages.ts';
import type { Assignment, AttemptKey, RunnerEvent, RunnerSupervisor } from './ports.ts';
import { isAlive } from './process-identity.ts';
import { killLeftBehind } from './recover.ts';
import { readRunnerFile } from './runner-file.ts';
import type { RunnerFile } from './runner-file.ts';
import type { RunnerLink } from './runner-link.ts';
import { DEFAULT_RUNNER_OPTIONS } from './runner-options.ts';
import type { RunnerOptions } from './runner-options.ts';
import { killProcess, waitForDeath } from './runner-process.ts';
import { createSupervisorMetrics } from './supervisor-metrics.ts';
import type { SupervisorMetrics } from './supervisor-metrics.ts';

export interface SupervisorDependencies {
  readonly logger: Logger;
  /** Without one nothing is measured. */
  readonly registry?: Registry;
}

export interface SupervisorOptions {
  readonly dataDir: string;
  /** A runner process that lives but says nothing for this long is killed. */
  readonly answerMs?: number;
  readonly runner?: Partial<RunnerOptions>;
}

export function createRunnerSupervisor(
  { logger, registry }: SupervisorDependencies,
  { dataDir, answerMs = 10_000, runner = {} }: SupervisorOptions,
): RunnerSupervisor {
  const options = { path: process.env['PATH'] ?? null, ...runner };
  const metrics = createSupervisorMetrics(registry ?? null);
  return new Supervisor({ logger, metrics }, { root: runnerRoot(resolve(dataDir)), answerMs, runner: options });
}

const RETRY_MS = 100;
const RETRY_MS_MAX = 30_000;

type Connection = Awaited<ReturnType<RunnerSupervisor['connect']>>;

type State =
  /** None yet, or another node process took the runner. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly connection: Promise<Connection> }
  | { readonly kind: 'connected'; readonly connection: Connection }
  | { readonly kind: 'closed' };

interface InternalOptions {
  readonly root: string;
  readonly answerMs: number;
  readonly runner: Partial<RunnerOptions>;
}

class Supervisor implements RunnerSupervisor {
  readonly #logger: Logger;
  readonly #metrics: SupervisorMetrics;
  readonly #options: InternalOptions;
  readonly #listeners: ((event: RunnerEvent) => void)[] = [];
  /** Not confirmed yet; sent again to the same runner process after the connection broke. */
  readonly #starts = new Map<string, Assignment>();
  readonly #stops = new Map<string, { readonly key: AttemptKey; readonly why: 'cancelled' | 'lost' }>();
  #lease: { readonly ms: number | null; readonly at: number } | null = null;
  /** The runner process last spoken to, until it is told as gone. */
  #known: RunnerFile | null = null;
  #link: RunnerLink | null = null;
  #state: State = { kind: 'idle' };

  constructor(
    { logger, metrics }: { readonly logger: Logger; readonly metrics: SupervisorMetrics },
    options: InternalOptions,
  ) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#options = options;
  }

  connect(): Promise<Connection> {
    switch (this.#state.kind) {
      case 'idle':
        return this.#connect();
      case 'connecting':
        return this.#state.connection;
      case 'connected':
        return Promise.resolve(this.#state.connection);
      case 'closed':
        return Promise.reject(letGo());
      default:
        return unreachable(this.#state);
    }
  }

  start(assignment: Assignment): void {
    if (this.#known === null) {
      if (this.#state.kind !== 'connecting') throw new Fault('runnerUnavailable', 'no runner process is connected');
      const { job, attempt } = assignment;
      this.#logger.warn({ job, attempt }, 'an assignment for a runner process that is gone was dropped');
      return;
    }
    this.#metrics.asked(assignment);
    this.#starts.set(attemptName(assignment), assignment);
    this.#link?.send({ kind: 'start', assignment });
  }

  stop({ job, attempt }: AttemptKey, why: 'cancelled' | 'lost'): void {
    const key = { job, attempt };
    this.#stops.set(attemptName(key), { key, why });
    this.#link?.send({ kind: 'stop', key, why });
  }

  forget({ job, attempt }: AttemptKey): void {
    const key = { job, attempt };
    this.#metrics.forgot(key);
    this.#link?.send({ kind: 'forget', key });
  }

  renew(ms: number | null): void {
    this.#lease = { ms, at: performance.now() };
    this.#link?.send({ kind: 'renew', ms });
  }

  onEvent(listener: (event: RunnerEvent) => void): void {
    this.#listeners.push(listener);
  }

  async close(mode: 'keep' | 'killJobs'): Promise<void> {
    const before = this.#state;
    this.#state = { kind: 'closed' };
    if (before.kind === 'connecting') await before.connection.catch(() => {});
    if (mode === 'killJobs') await this.#endProcess();
    await this.#link?.close();
    this.#link = null;
  }

  #connect(): Promise<Connection> {
    // Not before the state says so: who hears on the way that the runner is gone asks to connect, and shares this one.
    const connection = Promise.resolve().then(() => this.#establish());
    const state: State = { kind: 'connecting', connection };
    this.#state = state;
    connection.then(
      (value) => {
        if (this.#state === state) this.#state = { kind: 'connected', connection: value };
      },
      () => {
        if (this.#state === state) this.#state = { kind: 'idle' };
      },
    );
    return connection;
  }

  async #establish(): Promise<Connection> {
    const { root, answerMs, runner } = this.#options;
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const layout = runnerLayout(realpathSync(root));
    const dependencies = { logger: this.#logger, onNone: () => this.#tellGone() };
    const { file, link } = await findRunner(dependencies, { layout, answerMs, runner });
    if (this.#state.kind === 'closed') {
      await link.close();
      throw letGo();
    }
    if (this.#known?.incarnation !== file.incarnation) this.#tellGone();
    this.#known = file;
    this.#link = link;
    this.#repeat(link);
    // After whoever waits for the connection has had the turn.
    setImmediate(() => link.listen({ event: (event) => this.#hear(event), closed: (why) => this.#closed(link, why) }));
    const { incarnation, pid, held } = link.welcome;
    return { incarnation, pid, held };
  }

  /** What may have been lost with the connection before. */
  #repeat(link: RunnerLink): void {
    if (this.#lease !== null) {
      const { ms, at } = this.#lease;
      link.send({ kind: 'renew', ms: ms === null ? null : Math.max(0, ms - (performance.now() - at)) });
    }
    for (const assignment of this.#starts.values()) link.send({ kind: 'start', assignment });
    for (const { key, why } of this.#stops.values()) link.send({ kind: 'stop', key, why });
  }

  #hear(event: AttemptEvent): void {
    const name = attemptName(event);
    this.#starts.delete(name);
    if (event.kind === 'ended') this.#stops.delete(name);
    this.#metrics.saw(event);
    this.#emit(event);
  }

  #closed(link: RunnerLink, why: 'broken' | 'replaced'): void {
    if (this.#link !== link || this.#state.kind === 'closed') return;
    this.#link = null;
    this.#state = { kind: 'idle' };
    if (why === 'replaced') this.#logger.error('another node process has taken the runner of this data folder');
    else void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    for (let waitMs = RETRY_MS; this.#state.kind !== 'closed'; waitMs = Math.min(2 * waitMs, RETRY_MS_MAX)) {
      try {
        await this.connect();
        return;
      } catch (err) {
        this.#logger.error({ err }, 'there is no runner process; it is tried again');
        await sleep(waitMs, undefined, { ref: false });
      }
    }
  }

  #tellGone(): void {
    if (this.#known === null) return;
    const { incarnation, pid } = this.#known;
    this.#known = null;
    this.#starts.clear();
    this.#stops.clear();
    this.#metrics.lostRunner();
    this.#logger.error({ pid, incarnation }, 'the runner process is gone, and so are its jobs');
    this.#emit({ kind: 'gone', incarnation });
  }

  async #endProcess(): Promise<void> {
    const { root, answerMs, runner } = this.#options;
    const layout = runnerLayout(root);
    const file = this.#known ?? readRunnerFile(layout.lockFile);
    if (file === null || !isAlive(file)) return;
    if (this.#link !== null) this.#link.send({ kind: 'shutdown' });
    else process.kill(file.pid, 'SIGTERM');
    const { graceMs } = { ...DEFAULT_RUNNER_OPTIONS, ...runner };
    if (await waitForDeath(file, graceMs + answerMs)) return;
    this.#logger.error({ pid: file.pid }, 'the runner process did not end; it is killed with its jobs');
    await killProcess(file);
    killLeftBehind({ logger: this.#logger }, runnerLayout(realpathSync(root)).attempts);
  }

  #emit(event: RunnerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function letGo(): Fault {
  return new Fault('stopping', 'the runner was let go');
}
