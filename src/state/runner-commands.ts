import type { NodeId } from '../ids.ts';
import { loseJob } from '../jobs/lifecycle.ts';
import { LIMITS } from '../limits.ts';
import type { ChangeSet } from './change-set.ts';
import { type Command, type CommandResult, refuse } from './commands.ts';
import { staleRunner, unknownRunner } from './placement.ts';
import type { RunnerRecord } from './records.ts';
import { refuseRemoved } from './removed.ts';

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

const DONE: CommandResult = { ok: true };

/** What an earlier process of this runner held is lost with it; a draining runner stays so when it comes back. */
export function registerRunner(changes: ChangeSet, command: Of<'registerRunner'>): CommandResult {
  const { state, now } = changes;
  const { runner: id, incarnation, total, labels } = command;
  const refusal = refuseRemoved(state, id);
  if (refusal !== null) return refusal;
  const known = state.runners.get(id);
  if (known === undefined && state.runners.size >= LIMITS.members) {
    return refuse('tooManyRequests', `the cluster has ${LIMITS.members} runners (members)`);
  }
  if (known !== undefined && known.incarnation !== incarnation) {
    loseAttempts(changes, id, 'the runner process was started anew');
  }
  const mode = known?.state === 'draining' ? 'draining' : 'ready';
  changes.putRunner({ id, incarnation, total, labels, state: mode, registeredAt: now.at });
  return DONE;
}

export function loseRunner(changes: ChangeSet, { runner: id, incarnation }: Of<'loseRunner'>): CommandResult {
  const known = changes.state.runners.get(id);
  if (known === undefined) return unknownRunner(id);
  if (known.incarnation !== incarnation) return staleRunner(id);
  if (known.state === 'lost') return DONE;
  changes.putRunner({ ...known, state: 'lost' });
  loseAttempts(changes, id, 'the runner was lost: it did not renew its lease');
  return DONE;
}

export function drainRunner(changes: ChangeSet, { runner: id, mode }: Of<'drainRunner'>): CommandResult {
  const known = changes.state.runners.get(id);
  if (known === undefined) return refuse('notFound', `no runner has the id ${id}`);
  if (known.state === 'lost') return refuse('wrongState', 'the runner is lost');
  const wanted: RunnerRecord['state'] = mode === 'drain' ? 'draining' : 'ready';
  if (known.state !== wanted) changes.putRunner({ ...known, state: wanted });
  return DONE;
}

/** In the order of ids, which is the same at every replica. */
export function loseAttempts(changes: ChangeSet, runner: NodeId, reason: string): void {
  const { allocations, jobs } = changes.state;
  for (const id of [...(allocations.get(runner)?.jobs ?? [])].toSorted()) {
    const job = jobs.get(id);
    if (job?.state === 'assigned' || job?.state === 'running') changes.putJob(job, loseJob(job, reason, changes.now));
  }
}
