import { attemptOf, claimRoom, preemptJob } from '../jobs/lifecycle.ts';
import type { LiveJob, QueuedJob } from '../jobs/job.ts';
import { add, fits } from '../resources/resources.ts';
import { roomFor } from '../scheduling/claims.ts';
import { ancestorsOf, comingFree, sparedBecause } from '../scheduling/victims.ts';
import type { ChangeSet } from './change-set.ts';
import { type Command, type CommandResult, refuse, type Refusal } from './commands.ts';
import { acceptingAllocation, checkQueue } from './placement.ts';
import { type Allocation, type ClusterState, isLive } from './state.ts';

type Preempt = Extract<Command, { kind: 'preempt' }>;

/**
 * The victims are to be stopped by their runner, and the job has a claim on the room. Nothing is stopped in vain, as far
 * as the state knows: whoever chose them chose from an older one.
 */
export function preempt(changes: ChangeSet, command: Preempt): CommandResult {
  const { state, now } = changes;
  const job = state.jobs.get(command.job);
  if (job?.state !== 'queued') return refuse('wrongState', 'the job is not queued');
  if (command.attempt !== attemptOf(job)) {
    return refuse('staleAttempt', `attempt ${attemptOf(job)} is next, not ${command.attempt}`);
  }
  if (job.claim !== undefined) return refuse('wrongState', 'room is being made for the job already');
  const allocation = acceptingAllocation(state, job.plan, command.placement);
  if ('code' in allocation) return allocation;
  const victims = findVictims(state, command, job);
  if ('code' in victims) return victims;
  const refusal = checkQueue(state, job.plan) ?? checkNeed(changes, job, allocation, victims);
  if (refusal !== null) return refusal;
  for (const victim of victims) changes.putJob(victim, preemptJob(victim, job, now));
  changes.putJob(job, claimRoom(job, command.placement, now));
  return { ok: true };
}

function findVictims(state: ClusterState, { placement, victims }: Preempt, job: QueuedJob): LiveJob[] | Refusal {
  const ancestors = ancestorsOf(state, job);
  const found = new Set<LiveJob>();
  for (const { job: id, attempt } of victims) {
    const victim = state.jobs.get(id);
    if (victim === undefined || !isLive(victim) || victim.current.attempt !== attempt) {
      return refuse('conflict', `attempt ${attempt} of the job ${id} has ended`);
    }
    if (victim.current.runner !== placement.runner) return refuse('conflict', `the job ${id} runs elsewhere`);
    if (ancestors.has(id)) return refuse('conflict', `the job ${id} stands above it`);
    if (victim.plan.priority >= job.plan.priority) return refuse('conflict', `the job ${id} has no lower priority`);
    const spared = sparedBecause(state, victim);
    if (spared !== null) return refuse('conflict', `the job ${id} is not to be stopped (${spared})`);
    found.add(victim);
  }
  return [...found];
}

/** With the victims there is room, and without them there will be none. */
function checkNeed(
  { state, now }: ChangeSet,
  job: QueuedJob,
  allocation: Allocation,
  victims: readonly LiveJob[],
): Refusal | null {
  const { demand } = job.plan;
  const held = [...allocation.jobs]
    .map((id) => state.jobs.get(id))
    .filter((held) => held !== undefined && isLive(held));
  let room = add(roomFor(job, allocation), comingFree(state, held, now.at));
  if (fits(demand, room)) return refuse('conflict', 'there is room without, or it comes free by itself');
  for (const { plan } of victims) room = add(room, plan.demand);
  return fits(demand, room) ? null : refuse('conflict', 'the room of these would not be enough');
}
