import type { LogEvent } from '../../src/api/views.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import type { JobId, NodeId } from '../../src/ids.ts';
import { type EndedAttempt, isFinal, type Job, type LiveAttempt } from '../../src/jobs/job.ts';
import type { LogQuery } from '../core.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { Replica } from '../replica/replica.ts';
import type { LogOffsets, LogReader } from '../runner/ports.ts';
import type { JobStore } from './job-store.ts';
import type { JobWatch } from './job-watch.ts';
import { LogSources } from './log-sources.ts';
import { type LogName, SharedLogs } from './shared-logs.ts';

export interface LogServiceDependencies {
  readonly self: NodeId;
  readonly replica: Replica;
  readonly jobs: JobStore;
  readonly watch: JobWatch;
  readonly network: PeerNetwork;
  readonly reader: LogReader;
}

type Attempt = LiveAttempt | EndedAttempt;

/** Reads output from the machine that has it, this one or another. */
export class LogService {
  readonly #parts: LogServiceDependencies;
  readonly #sources: LogSources;
  readonly #shared: SharedLogs;

  constructor(dependencies: LogServiceDependencies) {
    this.#parts = dependencies;
    this.#sources = new LogSources(dependencies);
    this.#shared = new SharedLogs({ open: (name, range, signal) => this.#sources.open(name, range, signal) });
  }

  /** See `Core.logs`. Without an attempt given, following goes on through retries until the job is final. */
  async read(id: JobId, query: LogQuery, signal: AbortSignal): Promise<AsyncIterable<LogEvent>> {
    await this.#parts.replica.barrier();
    const job = await this.#parts.jobs.get(id);
    const wanted = query.attempt ?? (lastAttempt(job)?.attempt || 1);
    const attempt = findAttempt(job, wanted);
    if (attempt === null && query.attempt !== null && (isFinal(job) || !query.follow)) {
      throw new Rejection('notFound', `the job has no attempt ${query.attempt}`, { field: 'attempt' });
    }
    if (query.follow) return this.#follow(id, wanted, query, signal);
    if (attempt === null || !hasOutput(attempt)) return nothing();
    return begin(this.#open(job.id, attempt, query, signal));
  }

  async *#follow(id: JobId, first: number, query: LogQuery, signal: AbortSignal): AsyncIterable<LogEvent> {
    for (let number = first; !signal.aborted; number += 1) {
      const attempt = await this.#waitFor(id, number, signal, hasOutput);
      if (attempt === null) return;
      if (hasOutput(attempt)) yield* this.#open(id, attempt, query, signal);
      if (query.attempt !== null) return;
      const over = await this.#waitFor(id, number, signal, (shown) => shown.state === 'ended');
      if (over === null) return;
    }
  }

  /** The attempt once it is as wanted or has ended; null when it will never be, or the reader left. */
  async #waitFor(
    id: JobId,
    number: number,
    signal: AbortSignal,
    isReady: (attempt: Attempt) => boolean,
  ): Promise<Attempt | null> {
    const found = await this.#parts.watch.until<Attempt | 'never'>(id, signal, async (changed) => {
      const job = changed ?? (await this.#parts.jobs.get(id));
      const attempt = findAttempt(job, number);
      if (attempt !== null && (attempt.state === 'ended' || isReady(attempt))) return attempt;
      return isFinal(job) ? 'never' : undefined;
    });
    return found === 'never' ? null : found;
  }

  async *#open(id: JobId, attempt: Attempt, query: LogQuery, signal: AbortSignal): AsyncIterable<LogEvent> {
    const { stream, follow, tail } = query;
    const name: LogName = { runner: attempt.runner, job: id, attempt: attempt.attempt, stream, follow };
    try {
      const from = tail === null ? BEGINNING : await this.#sources.tail(name, tail, signal);
      // What is there by now is another thing for each who asks; all else is one log for all.
      if (follow || attempt.state === 'ended') yield* this.#shared.read(name, from, signal);
      else yield* this.#sources.open(name, { from, maxBytes: null }, signal);
    } catch (error) {
      if (error instanceof Fault && error.code === 'peerUnreachable') {
        throw new Fault('logUnavailable', 'the machine that holds this log cannot be reached', { cause: error });
      }
      throw error;
    }
  }
}

const BEGINNING: LogOffsets = { stdout: 0, stderr: 0 };

function lastAttempt(job: Job): Attempt | undefined {
  return 'current' in job ? job.current : job.past.at(-1);
}

function findAttempt(job: Job, number: number): Attempt | null {
  if ('current' in job && job.current.attempt === number) return job.current;
  return job.past.find((attempt) => attempt.attempt === number) ?? null;
}

/** An attempt that ended before it began wrote nothing. */
function hasOutput(attempt: Attempt): boolean {
  return attempt.state === 'running' || (attempt.state === 'ended' && attempt.startedAt !== null);
}

async function* nothing(): AsyncIterable<LogEvent> {}

/** Waits for the first event, so that an error before it can still be answered with a status. */
async function begin(events: AsyncIterable<LogEvent>): Promise<AsyncIterable<LogEvent>> {
  const iterator = events[Symbol.asyncIterator]();
  let first: IteratorResult<LogEvent> | null = await iterator.next();
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const result = first ?? (await iterator.next());
        first = null;
        return result;
      },
      return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
    }),
  };
}
