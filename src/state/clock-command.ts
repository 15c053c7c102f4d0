import { unreachable } from '../errors.ts';
import type { GroupId, JobId, TokenId } from '../ids.ts';
import { expireJob, releaseJob } from '../jobs/lifecycle.ts';
import type { ChangeSet } from './change-set.ts';
import type { CommandResult } from './commands.ts';
import type { Due } from './due-times.ts';

/** Due things that one clock command does, so that no entry takes long; the leader proposes the next at once. */
export const DUE_PER_CLOCK = 1000;

export function clock(changes: ChangeSet): CommandResult {
  const { due } = changes.state;
  for (let done = 0; done < DUE_PER_CLOCK; done += 1) {
    const first = due.first();
    if (first === null || first.at > changes.now.at) break;
    due.delete(first.kind, first.key);
    carryOut(changes, first);
  }
  return { ok: true };
}

function carryOut(changes: ChangeSet, due: Due): void {
  const { state } = changes;
  switch (due.kind) {
    case 'job':
      carryOutJob(changes, due.key as JobId);
      break;
    case 'claim':
      changes.giveUpClaim(due.key as JobId);
      break;
    case 'idempotency':
      state.idempotency.delete(due.key);
      changes.record('idempotency', due.key, null);
      break;
    case 'token':
      changes.putToken(due.key as TokenId, null);
      break;
    case 'joinToken':
      state.joinTokens.delete(due.key as TokenId);
      changes.record('joinToken', due.key, null);
      break;
    case 'group':
      changes.putGroup(null, due.key as GroupId);
      break;
    case 'followUp':
    case 'schedule':
      break;
    default:
      unreachable(due.kind);
  }
}

function carryOutJob(changes: ChangeSet, id: JobId): void {
  const job = changes.state.jobs.get(id);
  if (job?.state === 'waiting') changes.putJob(job, releaseJob(job, changes.now));
  else if (job?.state === 'queued') changes.putJob(job, expireJob(job, changes.now));
}
