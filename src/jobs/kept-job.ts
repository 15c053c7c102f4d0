import { Memo } from '../memo.ts';
import { type Job, NO_PAST } from './job.ts';
import { planOf, sharePlan } from './plan.ts';
import type { JobSpec } from './spec.ts';

const submitters = new Memo<string>(1024);

/**
 * A spec as it may be kept for long. The decoder gives strings that are slices of one over the whole message, and each
 * of them keeps all of it; a copy through JSON, which a spec is, has strings of its own.
 */
export function keptSpec(spec: JobSpec): JobSpec {
  return JSON.parse(JSON.stringify(spec)) as JobSpec;
}

/**
 * A job as it was stored, without its plan, so that a million of them take little: what is equal is shared.
 * @throws as `planOf`
 */
export function keptJob(stored: Job): Job {
  const spec = keptSpec(stored.spec);
  const { submittedBy, past } = stored;
  return {
    ...stored,
    spec,
    plan: sharePlan(planOf(spec)),
    submittedBy: submitters.get(submittedBy, () => submittedBy),
    past: past.length === 0 ? NO_PAST : past,
  };
}
