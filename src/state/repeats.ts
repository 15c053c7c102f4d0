import type { GroupId, JobId } from '../ids.ts';
import type { Command, CommandResult, Idempotency } from './commands.ts';
import { repeatedLine } from './batch-keys.ts';
import { idempotencyKey } from './idempotency.ts';
import { hasNumber, withNumber } from './number-ranges.ts';
import type { ProposerRecord } from './records.ts';
import type { ClusterState } from './state.ts';

/**
 * Proposals are applied at most once (the sessions of Ongaro's dissertation §6.3). A proposer that did not hear an
 * answer proposes the same bytes again, and both may stand in the log, the second one long after the job of the first
 * is final and has left the heap. So the state remembers for each origin which sequences it has seen: a few ranges,
 * whatever the number of jobs, and without a clock.
 */

/** Gaps are proposals on their way or lost; more than this and the oldest are given up. */
const MAX_RANGES = 256;
const MAX_REFUSING = 256;

const NOTHING: ProposerRecord = { floor: 0, applied: [], refusing: [], refusingFloor: 0, index: 0 };

/** `forgotten`: it has no effect, and what its answer was or would be is not known. */
export type Verdict = 'new' | 'repeated' | 'forgotten';

export function judgeRepeat(record: ProposerRecord | undefined, sequence: number): Verdict {
  if (record === undefined) return 'new';
  if (sequence <= record.floor) return 'forgotten';
  if (!hasNumber(record.applied, sequence)) return 'new';
  return sequence <= record.refusingFloor || record.refusing.includes(sequence) ? 'forgotten' : 'repeated';
}

/** @param outcome `refusing`: at least one command was */
export function noteApplied(
  record: ProposerRecord | undefined,
  sequence: number,
  outcome: 'taken' | 'refusing',
  index: number,
): ProposerRecord {
  let { floor, refusingFloor } = record ?? NOTHING;
  const applied = withNumber(record?.applied ?? NOTHING.applied, sequence);
  if (applied.length > 2 * MAX_RANGES) floor = Math.max(floor, applied.splice(0, 2)[1] ?? 0);
  let refusing = record?.refusing ?? NOTHING.refusing;
  if (outcome === 'refusing') {
    refusing = [...refusing, sequence].toSorted((a, b) => a - b);
    if (refusing.length > MAX_REFUSING) refusingFloor = Math.max(refusingFloor, refusing[0] ?? 0);
    refusing = refusing.filter((refused) => refused > refusingFloor && refused > floor);
  }
  return { floor, applied, refusing, refusingFloor, index };
}

/**
 * What the first of two equal proposals answered: it was taken as a whole.
 * @returns null when that is not known any more
 */
export function repeatedResults(state: ClusterState, commands: readonly Command[], by: string): CommandResult[] | null {
  const results: CommandResult[] = [];
  for (const command of commands) {
    const result = repeatedResult(state, command, by);
    if (result === null) return null;
    results.push(result);
  }
  return results;
}

function repeatedResult(state: ClusterState, command: Command, by: string): CommandResult | null {
  const made = madeBy(command);
  if (made === null) return { ok: true };
  const { id, idempotency, result } = made;
  if (command.kind === 'submit' && command.batch !== undefined)
    return repeatedLine(state, command.batch, id as JobId, by);
  if (idempotency === null) return result;
  const known = state.idempotency.get(idempotencyKey(by, idempotency.key));
  if (known === undefined || 'batch' in known) return null;
  const first = 'job' in known ? { job: known.job } : { group: known.group };
  const isFirst = ('job' in known ? known.job : known.group) === id;
  return { ok: true, ...first, ...(isFirst ? {} : { existed: true }) };
}

/** What a command makes that clients know by its id, and under which key; null: nothing. */
function madeBy(command: Command): {
  readonly id: JobId | GroupId;
  readonly idempotency: Idempotency | null;
  readonly result: CommandResult;
} | null {
  switch (command.kind) {
    case 'submit':
      return { id: command.id, idempotency: command.idempotency, result: { ok: true, job: command.id } };
    case 'triggerSchedule':
      return { id: command.job, idempotency: command.idempotency ?? null, result: { ok: true, job: command.job } };
    case 'createGroup':
      return { id: command.id, idempotency: command.idempotency ?? null, result: { ok: true, group: command.id } };
    default:
      return null;
  }
}
