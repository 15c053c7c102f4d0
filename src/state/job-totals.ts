import { FINAL_STATES, type FinalState, isFinal, type Job } from '../jobs/job.ts';

/** What became of jobs since the cluster began, those included that are purged. */
export interface JobTotals {
  /** Attempts that were given room at a runner. */
  readonly started: number;
  /** How often a job became final; one that is tried again by hand counts again. */
  readonly ended: Readonly<Record<FinalState, number>>;
}

export const NO_TOTALS: JobTotals = {
  started: 0,
  ended: Object.fromEntries(FINAL_STATES.map((state) => [state, 0])) as Record<FinalState, number>,
};

/** What one entry of the log adds to the totals. */
export class JobTally {
  #started = 0;
  readonly #ended = new Map<FinalState, number>();

  /** @param before null for a new job */
  count(before: Job | null, after: Job): void {
    if (isFinal(after)) this.#ended.set(after.state, (this.#ended.get(after.state) ?? 0) + 1);
    if (attemptsOf(after) > (before === null ? 0 : attemptsOf(before))) this.#started += 1;
  }

  /** The same totals when nothing was counted. */
  addTo(totals: JobTotals): JobTotals {
    if (this.#started === 0 && this.#ended.size === 0) return totals;
    const ended = { ...totals.ended };
    for (const [state, count] of this.#ended) ended[state] += count;
    return { started: totals.started + this.#started, ended };
  }
}

/** One that is behind another counts when it has room or has ended: until then it may be handed back, and comes again. */
function attemptsOf(job: Job): number {
  const hasRoom = (job.state === 'assigned' || job.state === 'running') && job.current.behind === undefined;
  return job.past.length + (hasRoom ? 1 : 0);
}
