import type { JobView } from '../../src/api/views.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import { JOB_STATES, type JobState } from '../../src/jobs/job.ts';
import type { Progress } from './progress.ts';

/** Long polls under way at once. */
const POLLS = 16;

export interface WaitForAllOptions {
  readonly signal: AbortSignal;
  /** When to give up, on the clock of `performance.now`; never when left out. */
  readonly endsAt?: number;
  readonly progress: Progress;
  /** Told each job once it has ended, or as it was when the time was over: as they come. */
  readonly onEnd: (job: JobView) => Promise<void>;
}

/** Waits until every job has ended, or the time is over. @throws the first error; the other waits end with it */
export async function waitForAll(
  client: QuorateClient,
  ids: readonly string[],
  { signal, endsAt, progress, onEnd }: WaitForAllOptions,
): Promise<void> {
  const over = new AbortController();
  const counts = new Map<JobState, number>();
  let ended = 0;
  const remaining = ids.values();
  async function poll(): Promise<void> {
    for (const id of remaining) {
      const timeout = endsAt === undefined ? {} : { timeoutMs: Math.max(0, endsAt - performance.now()) };
      const job = await client.jobs.wait(id, { ...timeout, signal: AbortSignal.any([signal, over.signal]) });
      ended += 1;
      counts.set(job.state, (counts.get(job.state) ?? 0) + 1);
      progress.set(ended, { detail: countsText((state) => counts.get(state) ?? 0) });
      await onEnd(job);
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(POLLS, ids.length) }, poll));
  } finally {
    over.abort();
  }
}

/** As "3 running, 2 succeeded"; nothing where there is none. */
export function countsText(countOf: (state: JobState) => number): string {
  return JOB_STATES.filter((state) => countOf(state) > 0)
    .map((state) => `${countOf(state)} ${state}`)
    .join(', ');
}
