import type { JobPlan } from '../jobs/plan.ts';
import { LIMITS } from '../limits.ts';
import { matches } from '../resources/constraint.ts';
import { fits, type Resources } from '../resources/resources.ts';
import type { RunnerRecord } from '../state/records.ts';

/** What a placement asks of a runner. */
export type Wanted = Pick<JobPlan, 'demand' | 'constraints'>;

/** Whether a runner takes such jobs at all, however busy it is now. */
export function accepts(runner: RunnerRecord, { constraints }: Wanted): boolean {
  return runner.state === 'ready' && constraints.every((constraint) => matches(constraint, runner.labels));
}

/** Whether it could hold such a job if nothing else ran there, also while it is away or drains. */
export function couldHold({ labels, total }: RunnerRecord, { demand, constraints }: Wanted): boolean {
  return fits(demand, total) && constraints.every((constraint) => matches(constraint, labels));
}

/** Whether what is free holds one more. */
export function hasRoom(seat: { readonly free: Resources; readonly attempts: number }, { demand }: Wanted): boolean {
  return seat.attempts < LIMITS.runnerAttempts && fits(demand, seat.free);
}
