import { existsSync, readdirSync } from 'node:fs';
import { unreachable } from '../../src/errors.ts';
import type { Incarnation } from '../../src/ids.ts';
import type { AttemptEnd, Timestamp } from '../../src/jobs/job.ts';
import { claimFolder, furnishFolder } from './attempt-folder.ts';
import type { Claim } from './attempt-folder.ts';
import { startProcess } from './job-process.ts';
import type { EndCause, JobProcess, ProcessResult } from './job-process.ts';
import { IdleWatch } from './idle-watch.ts';
import { launchFailed, machineFailed, systemCode } from './launch-failure.ts';
import type { Launcher, ProcessExit } from './launcher.ts';
import { attemptLayout, attemptName } from './layout.ts';
import type { AttemptLayout } from './layout.ts';
import type { AttemptEvent } from './messages.ts';
import { scheduleMeta } from './meta-file.ts';
import { writeOutcome } from './outcome-file.ts';
import type { Ending } from './outcome-file.ts';
import { limitOutput } from './output-limit.ts';
import type { OutputStream } from './output-limit.ts';
import type { Assignment, AttemptKey } from './ports.ts';
import { prepareLaunch } from './prepare-launch.ts';
import type { RecoveredEnding } from './recover.ts';
import type { Retention } from './retention.ts';
import { tidyUp } from './tidy-up.ts';
import type { TidyUpDependencies } from './tidy-up.ts';

export interface AttemptsDependencies extends TidyUpDependencies {
  readonly launcher: Launcher;
  readonly retention: Retention;
  /** Hears every start and end, and an end again when its start is asked for again. */
  readonly emit: (event: AttemptEvent) => void;
}

export interface AttemptsOptions {
  readonly folder: string;
  readonly incarnation: Incarnation;
  /** Null: jobs get the usual one. */
  readonly path: string | null;
  readonly graceMs: number;
  readonly logBytes: number;
  readonly heldMax: number;
  /** What earlier runner processes left to be told. */
  readonly recovered: readonly RecoveredEnding[];
}

interface IdleLimit {
  readonly timeoutMs: number;
  readonly watch: IdleWatch;
}

type Held =
  | { readonly state: 'starting'; readonly key: AttemptKey }
  | {
      readonly state: 'running';
      readonly key: AttemptKey;
      readonly layout: AttemptLayout;
      readonly process: JobProcess;
      readonly idle: IdleLimit | null;
      /** Outputs that were cut while it ran. */
      readonly cut: Set<OutputStream>;
    }
  | {
      readonly state: 'ended';
      readonly key: AttemptKey;
      readonly layout: AttemptLayout;
      readonly ending: Ending;
      readonly bytes: number;
      /** False while the disk refuses the outcome. */
      readonly stored: boolean;
      /** No process of it is left that could have its folder open. */
      readonly isAlone: boolean;
    };

/** The attempts that this runner runs, and those whose end the node has not said to forget. */
export class Attempts {
  readonly #dependencies: AttemptsDependencies;
  readonly #options: AttemptsOptions;
  readonly #held = new Map<string, Held>();
  #live = 0;

  constructor(dependencies: AttemptsDependencies, options: AttemptsOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    for (const { job, attempt, ending, bytes } of options.recovered) {
      const key = { job, attempt };
      const layout = attemptLayout(options.folder, key);
      this.#held.set(attemptName(key), { state: 'ended', key, layout, ending, bytes, stored: true, isAlone: false });
    }
  }

  get live(): number {
    return this.#live;
  }

  get held(): readonly AttemptKey[] {
    return [...this.#held.values()].map((held) => held.key);
  }

  /** Everything that a node which has just connected may not know. */
  replay(): void {
    for (const held of this.#held.values()) this.#tell(held);
  }

  start(assignment: Assignment): void {
    const key = { job: assignment.job, attempt: assignment.attempt };
    const name = attemptName(key);
    const known = this.#held.get(name);
    if (known !== undefined) return this.#tell(known);
    if (this.#held.size >= this.#options.heldMax) {
      return this.#refuse(key, machineFailed(`this runner holds ${this.#held.size} attempts already`));
    }
    const layout = attemptLayout(this.#options.folder, key);
    let claim: Claim;
    try {
      claim = this.#claim(name, layout);
      if (claim === 'forgotten') return;
      if (claim === 'unfinished') return this.#end(key, layout, null, machineFailed('an earlier start was cut short'));
    } catch (error) {
      return this.#refuse(key, machineFailed('this machine could not make its folder', error));
    }
    this.#held.set(name, { state: 'starting', key });
    const refusal = this.#furnish(claim, layout) ?? this.#launch(assignment, key, layout);
    if (refusal !== null) this.#end(key, layout, null, refusal);
  }

  /** One that never came here is held as ended, so that a start that comes late does not run. */
  stop(key: AttemptKey, cause: EndCause): void {
    const held = this.#held.get(attemptName(key));
    if (held === undefined) return this.#stopUnknown(key, cause);
    switch (held.state) {
      case 'starting':
        return;
      case 'running':
        return held.process.end(cause, this.#options.graceMs);
      case 'ended':
        return this.#tell(held);
      default:
        unreachable(held);
    }
  }

  stopAll(cause: EndCause, graceMs: number): void {
    for (const held of this.#held.values()) {
      if (held.state === 'running') held.process.end(cause, graceMs);
    }
  }

  forget(key: AttemptKey): void {
    const name = attemptName(key);
    const held = this.#held.get(name);
    if (held === undefined || held.state !== 'ended') return;
    const { layout, ending, bytes, isAlone } = held;
    this.#held.delete(name);
    try {
      tidyUp(this.#dependencies, { name, layout, endedAt: ending.endedAt, bytes, isAlone });
    } catch (err) {
      this.#dependencies.logger.warn({ err, job: key.job, attempt: key.attempt }, 'an attempt cannot be tidied up');
    }
    this.#dependencies.retention.keep({ name, endedAt: ending.endedAt, bytes });
  }

  /**
   * Cuts outputs that grew past the limit, ends attempts whose outputs stand still and stores outcomes that the disk
   * refused; called a few times a second.
   */
  tend(): void {
    for (const [name, held] of this.#held) {
      if (held.state === 'running') this.#tendRunning(held);
      if (held.state === 'ended' && !held.stored) {
        this.#held.set(name, { ...held, stored: this.#store(held.layout, held.ending) });
      }
    }
  }

  #tendRunning({ layout, process, cut, idle }: Extract<Held, { state: 'running' }>): void {
    const sizes = this.#limitOutput(layout);
    for (const stream of sizes.cut) cut.add(stream);
    if (idle?.watch.look(sizes, performance.now()) !== 'idle') return;
    const reason = `it wrote nothing for its idleTimeout of ${idle.timeoutMs} ms`;
    process.end({ outcome: 'timedOut', reason }, this.#options.graceMs);
  }

  #claim(name: string, layout: AttemptLayout): Claim {
    return this.#dependencies.retention.keeps(name) ? 'forgotten' : claimFolder(layout, this.#dependencies.spares);
  }

  /** What keeps it from running, or null. */
  #furnish(claim: Claim, layout: AttemptLayout): AttemptEnd | null {
    try {
      if (claim === 'bare') furnishFolder(layout);
      return null;
    } catch (error) {
      return machineFailed('this machine could not make its folders', error);
    }
  }

  /** What keeps it from running, or null. */
  #launch(assignment: Assignment, key: AttemptKey, layout: AttemptLayout): AttemptEnd | null {
    const prepared = prepareLaunch(assignment, layout, { path: this.#options.path });
    if (prepared.kind === 'refused') return prepared.end;
    const { request } = prepared;
    const limits = { timeoutMs: assignment.timeoutMs, graceMs: this.#options.graceMs };
    const process = startProcess(this.#dependencies, request, limits, (result) =>
      this.#finish(key, layout, result, request.argv[0] ?? ''),
    );
    if (process.pid !== null) this.#started({ key, layout, process, idle: idleLimit(assignment) }, process.pid);
    return null;
  }

  #started(
    started: Pick<Extract<Held, { state: 'running' }>, 'key' | 'layout' | 'process' | 'idle'>,
    pid: number,
  ): void {
    const held: Held = { state: 'running', ...started, cut: new Set() };
    const { key, layout } = held;
    this.#live += 1;
    this.#held.set(attemptName(key), held);
    this.#tell(held);
    const isRunning = () => this.#held.get(attemptName(key)) === held;
    scheduleMeta(this.#dependencies, layout, { pid, incarnation: this.#options.incarnation }, isRunning);
  }

  #finish(key: AttemptKey, layout: AttemptLayout, result: ProcessResult, command: string): void {
    switch (result.kind) {
      case 'failed': {
        // The system names no path: a folder that is gone looks like a program that is gone.
        const end = existsSync(layout.work) ? launchFailed(result.code, command) : machineFailed('its folder is gone');
        return this.#end(key, layout, null, end);
      }
      case 'exited':
        this.#live -= 1;
        return this.#end(key, layout, result.startedAt, endOf(result.exit, result.cause));
      default:
        unreachable(result);
    }
  }

  #end(key: AttemptKey, layout: AttemptLayout, startedAt: Timestamp | null, end: AttemptEnd): void {
    const { bytes, cut } = this.#limitOutput(layout);
    const before = this.#held.get(attemptName(key));
    const cuts = new Set([...(before?.state === 'running' ? before.cut : []), ...cut]);
    const told = cuts.size === 0 ? end : { ...end, reason: withCut(end.reason, [...cuts], this.#options.logBytes) };
    const left = hasLeft(layout) ? 'something' : 'nothing';
    const ending: Ending = { startedAt, endedAt: Date.now(), end: told, left, incarnation: this.#options.incarnation };
    const stored = this.#store(layout, ending);
    const isAlone = this.#dependencies.launcher.leftBehind() === 'nothing';
    const held: Held = { state: 'ended', key, layout, ending, bytes, stored, isAlone };
    this.#held.set(attemptName(key), held);
    this.#tell(held);
  }

  #stopUnknown(key: AttemptKey, cause: EndCause): void {
    const layout = attemptLayout(this.#options.folder, key);
    const end = { ...machineFailed(cause.reason ?? 'it was stopped before it started'), outcome: cause.outcome };
    try {
      if (this.#dependencies.retention.keeps(attemptName(key))) return this.#refuse(key, end);
      if (claimFolder(layout, NO_SPARES) === 'forgotten') return this.#refuse(key, end);
      this.#end(key, layout, null, end);
    } catch (error) {
      this.#refuse(key, { ...end, reason: `${end.reason}; its folder: ${systemCode(error)}` });
    }
  }

  /** An end that nothing is held of. */
  #refuse(key: AttemptKey, end: AttemptEnd): void {
    const { incarnation } = this.#options;
    this.#dependencies.emit({ kind: 'ended', ...key, startedAt: null, endedAt: Date.now(), end, incarnation });
  }

  #tell(held: Held): void {
    switch (held.state) {
      case 'starting':
        return;
      case 'running':
        return this.#dependencies.emit({ kind: 'started', ...held.key, at: held.process.startedAt });
      case 'ended':
        return this.#dependencies.emit({ kind: 'ended', ...held.key, ...held.ending });
      default:
        unreachable(held);
    }
  }

  #store(layout: AttemptLayout, ending: Ending): boolean {
    try {
      writeOutcome(layout, ending);
      return true;
    } catch (err) {
      this.#dependencies.logger.error(
        { err, path: layout.outcome },
        'an outcome cannot be stored; it will be tried again',
      );
      return false;
    }
  }

  #limitOutput(layout: AttemptLayout): ReturnType<typeof limitOutput> {
    try {
      return limitOutput(layout, this.#options.logBytes);
    } catch (err) {
      this.#dependencies.logger.warn({ err, path: layout.root }, 'the size of an output cannot be held');
      return { bytes: 0, cut: [] };
    }
  }
}

/** Whether it is worth looking for outputs of an attempt that names none. */
function hasLeft({ outputs }: AttemptLayout): boolean {
  try {
    return readdirSync(outputs).length > 0;
  } catch {
    return false;
  }
}

function idleLimit({ idleTimeoutMs }: Assignment): IdleLimit | null {
  // A node of an earlier version does not tell.
  const timeoutMs = idleTimeoutMs ?? null;
  return timeoutMs === null ? null : { timeoutMs, watch: new IdleWatch(timeoutMs, performance.now()) };
}

const NO_SPARES = { take: () => false };

function endOf(exit: ProcessExit, cause: EndCause | null): AttemptEnd {
  if (cause !== null) return { ...exit, ...cause };
  if (exit.exitCode === 0) return { ...exit, outcome: 'succeeded', reason: null };
  const reason =
    exit.signal === 'SIGKILL'
      ? 'killed by something other than this runner; the machine may have been out of memory'
      : null;
  return { ...exit, outcome: 'failed', reason };
}

function withCut(reason: string | null, cut: readonly string[], limit: number): string {
  const told = `${cut.join(' and ')} cut at ${limit} bytes`;
  return reason === null ? told : `${reason}; ${told}`;
}
