import type { GroupId } from '../ids.ts';
import { closeGroup, createGroup, type Group } from '../jobs/group.ts';
import { LIMITS } from '../limits.ts';
import type { ChangeSet } from './change-set.ts';
import { type Command, type CommandResult, refuse, type Refusal } from './commands.ts';
import { knownRequest, noteRequest } from './idempotency.ts';

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

const DONE: CommandResult = { ok: true };

export function create(changes: ChangeSet, command: Of<'createGroup'>, by: string): CommandResult {
  const { id, spec, idempotency = null } = command;
  const { groups } = changes.state;
  const known = knownRequest(changes.state, idempotency, by, 'group');
  if (known !== null) return known;
  if (groups.has(id)) return refuse('conflict', 'the id is taken');
  if (groups.size >= LIMITS.groups) {
    return refuse('tooManyRequests', `the cluster remembers ${LIMITS.groups} groups (groups)`);
  }
  const refusal = noteRequest(changes, idempotency, by, { group: id });
  if (refusal !== null) return refusal;
  const { name, project, labels, maxRunning, onFailure } = spec;
  changes.putGroup(createGroup(id, { name, project, labels, maxRunning, onFailure }, by, changes.now), id);
  return { ok: true, group: id };
}

export function close(changes: ChangeSet, { id }: Of<'closeGroup'>): CommandResult {
  const group = find(changes, id);
  if ('code' in group) return group;
  const closed = closeGroup(group, changes.now);
  if (closed !== group) changes.putGroup(closed, id);
  return DONE;
}

export function cancel(changes: ChangeSet, { id }: Of<'cancelGroup'>, by: string): CommandResult {
  const group = find(changes, id);
  if ('code' in group) return group;
  if (group.state === 'finished') return refuse('alreadyFinal', 'the group is finished already');
  changes.cancelGroup(group, by);
  return DONE;
}

function find(changes: ChangeSet, id: GroupId): Group | Refusal {
  return changes.state.groups.get(id) ?? refuse('unknownGroup', `no group has the id ${id}`);
}
