import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { parseName } from '../../src/cas/digest.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import type { AttemptEnd, Job, LiveJob, Outputs } from '../../src/jobs/job.ts';
import { expectInside } from '../../src/jobs/files.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import { attemptLayout, attemptName, runnerLayout, runnerRoot } from '../runner/layout.ts';
import type { AttemptKey } from '../runner/ports.ts';
import type { JobTrees, TreePart } from '../trees/port.ts';

export interface JobFilesDependencies {
  readonly trees: JobTrees;
  /** Wherever it is. @returns null when there is none of this id */
  readonly findJob: (id: JobId) => Promise<Job | null>;
  readonly logger: Logger;
}

/** How a preparation came out. `stopped`: nobody wants it any more. */
export type Prepared =
  | { readonly kind: 'ready'; readonly folder: string }
  | { readonly kind: 'failed'; readonly end: AttemptEnd }
  | { readonly kind: 'stopped' };

/** A holder of a blob may come back within this time; after it the attempt is given up as lost. */
const TRIES = 3;
const RETRY_MS = 2_000;

/** The files of the attempts at this machine: what they find, and what they leave. */
export class JobFiles {
  readonly #dependencies: JobFilesDependencies;
  readonly #staging: string;
  readonly #attempts: string;
  readonly #preparing = new Map<string, AbortController>();

  private constructor(dependencies: JobFilesDependencies, folders: { staging: string; attempts: string }) {
    this.#dependencies = dependencies;
    this.#staging = folders.staging;
    this.#attempts = folders.attempts;
  }

  /** What an earlier process had prepared and not handed over is removed. @throws a system error */
  static async open(dependencies: JobFilesDependencies, dataDir: string): Promise<JobFiles> {
    const staging = join(dataDir, 'staging');
    await rm(staging, { recursive: true, force: true });
    await mkdir(staging, { mode: 0o700 });
    return new JobFiles(dependencies, { staging, attempts: runnerLayout(runnerRoot(dataDir)).attempts });
  }

  /** A folder that holds the inputs of a job, for the runner to take. Never rejects. */
  async prepare(job: LiveJob): Promise<Prepared> {
    const name = attemptName({ job: job.id, attempt: job.current.attempt });
    const folder = join(this.#staging, name);
    const stopped = new AbortController();
    this.#preparing.set(name, stopped);
    try {
      const parts = await this.#partsOf(job.spec);
      await this.#materialise(parts, folder, stopped.signal);
      return { kind: 'ready', folder };
    } catch (error) {
      if (stopped.signal.aborted) return { kind: 'stopped' };
      return { kind: 'failed', end: endWithoutInputs(error, this.#dependencies.logger) };
    } finally {
      this.#preparing.delete(name);
    }
  }

  /** Nobody wants what is being prepared for this attempt. */
  stop(attempt: AttemptKey): void {
    this.#preparing.get(attemptName(attempt))?.abort();
  }

  /** What was prepared was not wanted any more. */
  async discard(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true }).catch((err: unknown) => {
      this.#dependencies.logger.warn({ err, folder }, 'inputs that nobody wants cannot be removed');
    });
  }

  /** The end of an attempt with what it left. An attempt whose outputs cannot be kept has not succeeded. */
  async withOutputs({ job, attempt }: AttemptKey, spec: JobSpec | undefined, end: AttemptEnd): Promise<AttemptEnd> {
    const { work, outputs } = attemptLayout(this.#attempts, { job, attempt });
    const patterns = spec?.outputs ?? [];
    let kept: Outputs | null;
    try {
      patterns.forEach(expectInside);
      kept = await this.#dependencies.trees.keep({ work, outputs, patterns });
    } catch (error) {
      const reason = `its outputs could not be kept: ${tell(error)}`;
      this.#dependencies.logger.warn({ err: error, job, attempt }, 'the outputs of a job could not be kept');
      const told = end.reason === null ? reason : `${end.reason}; ${reason}`;
      return { ...end, outcome: end.outcome === 'succeeded' ? 'failed' : end.outcome, reason: told };
    }
    return kept === null ? end : { ...end, outputs: kept };
  }

  async #partsOf({ inputs }: JobSpec): Promise<readonly TreePart[]> {
    const parts: TreePart[] = [];
    if (inputs?.rootDigest !== undefined) parts.push({ root: parseName(inputs.rootDigest), at: '' });
    for (const { job: id, at = '' } of inputs?.outputsOf ?? []) {
      expectInside(at);
      const job = await this.#dependencies.findJob(id);
      if (job === null)
        throw new Rejection('notFound', `the job ${id}, whose outputs it is to have, is not kept any longer`);
      const left = job.past.at(-1)?.outputs;
      if (left !== undefined) parts.push({ root: parseName(left.rootDigest), at });
    }
    return parts;
  }

  async #materialise(parts: readonly TreePart[], folder: string, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#dependencies.trees.materialise(parts, folder, signal);
        return;
      } catch (error) {
        if (signal.aborted || !mayPass(error) || tries === TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        signal.throwIfAborted();
      }
    }
  }
}

/** A blob may be put only now, and a node go on for a while with having found none. */
function mayPass(error: unknown): boolean {
  return error instanceof Fault || (error instanceof Rejection && error.code === 'notFound');
}

/** What the job asked for is wrong, or this machine could not bring it: then it is for another attempt. */
function endWithoutInputs(error: unknown, logger: Logger): AttemptEnd {
  const outcome = error instanceof Rejection ? 'failed' : 'lost';
  if (outcome === 'lost') logger.warn({ err: error }, 'the inputs of a job could not be brought');
  return { outcome, exitCode: null, signal: null, reason: `its inputs: ${tell(error)}`, usage: null };
}

function tell(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
