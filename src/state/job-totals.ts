import { FINAL_STATES, type FinalState, isFinal, type Job } from '../jobs/job.ts';

/** What became of jobs since the cluster began, those included that are purged. */
export interface JobTotals {
  /** Attempts that were given to a runner. */
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
    else if (holdsRunner(after) && (before === null || !holdsRunner(before))) this.#started += 1;
  }

  /** The same totals when nothing was counted. */
  addTo(totals: JobTotals): JobTotals {
    if (this.#started === 0 && this.#ended.size === 0) return totals;
    const ended = { ...totals.ended };
    for (const [state, count] of this.#ended) ended[state] += count;
    return { started: totals.started + this.#started, ended };
  }
}

function holdsRunner({ state }: Job): boolean {
  return state === 'assigned' || state === 'running';
}
