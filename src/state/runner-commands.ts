import type { Incarnation } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { ChangeSet } from './change-set.ts';
import { type Command, type CommandResult, refuse } from './commands.ts';
import { loseAttempts } from './lost-attempts.ts';
import { staleRunner, unknownRunner } from './placement.ts';
import type { RunnerRecord } from './records.ts';
import { refuseRemoved } from './removed.ts';

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

const DONE: CommandResult = { ok: true };
/** Starts of one runner that are known to have come back; the oldest are forgotten. */
const RETURNED_KEPT = 8;

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
  const mode = known?.state === 'draining' ? 'draining' : 'ready';
  const returned = returnedOf(known, incarnation);
  const record = { id, incarnation, total, labels, state: mode, registeredAt: now.at } as const;
  changes.putRunner(returned === undefined ? record : { ...record, returned });
  if (known !== undefined && known.incarnation !== incarnation) {
    loseAttempts(changes, id, 'the runner process was started anew');
  }
  return DONE;
}

/** That it comes back as the same process tells that no job had ended it. */
function returnedOf(known: RunnerRecord | undefined, incarnation: Incarnation): RunnerRecord['returned'] {
  if (known?.state !== 'lost' || known.incarnation !== incarnation) return known?.returned;
  const before = known.returned?.filter((other) => other !== incarnation) ?? [];
  return [...before, incarnation].slice(-RETURNED_KEPT);
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
