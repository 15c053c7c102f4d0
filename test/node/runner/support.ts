import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach } from 'vitest';
import type { JobId } from '../../../src/ids.ts';
import type { Assignment, AttemptKey, RunnerEvent, RunnerSupervisor } from '../../../node/runner/ports.ts';
import { attemptLayout, runnerLayout, runnerRoot } from '../../../node/runner/layout.ts';
import type { AttemptLayout } from '../../../node/runner/layout.ts';
import { identifyProcess, isAlive } from '../../../node/runner/process-identity.ts';
import { readRunnerFile } from '../../../node/runner/runner-file.ts';
import type { RunnerOptions } from '../../../node/runner/runner-options.ts';
import { createRunnerSupervisor } from '../../../node/runner/supervisor.ts';
import type { SupervisorDependencies } from '../../../node/runner/supervisor.ts';

export const silent = pino({ level: 'silent' });

export type Ended = Extract<RunnerEvent, { kind: 'ended' }>;

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export function cleanUp(cleanup: () => Promise<void> | void): void {
  cleanups.push(cleanup);
}

/** Removed at the end of the test, after the runner process that may be at work there was ended. */
/** Sockets need short paths; what becomes of long ones has tests of its own. */
const SHORT_BYTES = 48;

export function tempDataDir(): string {
  const base = Buffer.byteLength(tmpdir()) <= SHORT_BYTES ? tmpdir() : '/tmp';
  const dataDir = mkdtempSync(join(base, 'quorate-test-'));
  cleanUp(async () => {
    const file = readRunnerFile(runnerLayout(runnerRoot(dataDir)).lockFile);
    if (file !== null && isAlive(file)) {
      const supervisor = createRunnerSupervisor({ logger: silent }, { dataDir, runner: { graceMs: 100 } });
      process.kill(file.pid, 'SIGCONT');
      await supervisor.close('killJobs');
    }
    rmSync(dataDir, { recursive: true, force: true });
  });
  return dataDir;
}

export interface TestNode {
  readonly supervisor: RunnerSupervisor;
  readonly events: readonly RunnerEvent[];
  start(spec: Assignment['spec'], more?: Partial<Assignment>): AttemptKey;
  ended(key: AttemptKey): Promise<Ended>;
  /** Starts it and waits for its end. */
  run(spec: Assignment['spec'], more?: Partial<Assignment>): Promise<Ended>;
  output(key: AttemptKey, stream?: 'stdout' | 'stderr'): string;
  layout(key: AttemptKey): AttemptLayout;
}

/** The node's side, with what it heard. */
export async function connectNode(
  dataDir: string,
  runner: Partial<RunnerOptions> = {},
  more: Partial<SupervisorDependencies> & { readonly answerMs?: number } = {},
): Promise<TestNode & Awaited<ReturnType<RunnerSupervisor['connect']>>> {
  const { answerMs, ...dependencies } = more;
  const supervisor = createRunnerSupervisor(
    { logger: silent, ...dependencies },
    { dataDir, runner: { graceMs: 300, ...runner }, ...(answerMs === undefined ? {} : { answerMs }) },
  );
  cleanUp(() => supervisor.close('keep'));
  const events: RunnerEvent[] = [];
  supervisor.onEvent((event) => events.push(event));
  const connection = await supervisor.connect();
  const folder = runnerLayout(runnerRoot(dataDir)).attempts;
  const ended = (key: AttemptKey) =>
    until(() => events.find((event): event is Ended => event.kind === 'ended' && sameAttempt(event, key)));
  function start(spec: Assignment['spec'], rest: Partial<Assignment> = {}): AttemptKey {
    const assignment = { job: randomJob(), attempt: 1, spec, timeoutMs: null, idleTimeoutMs: null, env: {}, ...rest };
    supervisor.start(assignment);
    return { job: assignment.job, attempt: assignment.attempt };
  }
  return {
    ...connection,
    supervisor,
    events,
    start,
    ended,
    run: (spec, rest) => ended(start(spec, rest)),
    output: (key, stream = 'stdout') => readFileSync(attemptLayout(folder, key)[stream], 'utf8'),
    layout: (key) => attemptLayout(folder, key),
  };
}

export function sameAttempt(a: AttemptKey, b: AttemptKey): boolean {
  return a.job === b.job && a.attempt === b.attempt;
}

export function randomJob(): JobId {
  return randomUUID() as string as JobId;
}

/** Waits for as long as the test may take. */
export async function until<Value>(look: () => Value | undefined | null | false): Promise<Value> {
  for (;;) {
    const value = look();
    if (value !== undefined && value !== null && value !== false) return value;
    await sleep(5);
  }
}

export function runs(pid: number): boolean {
  const identity = identifyProcess(pid);
  return identity !== null && isAlive(identity);
}

/** The number that a job writes into a file of its outputs. */
export function pidIn(path: string): Promise<number> {
  return until(() => (existsSync(path) ? Number(readFileSync(path, 'utf8').trim()) || null : null));
}
