import { LIMITS } from '../limits.ts';
import type { ChangeSet } from './change-set.ts';
import { type Command, type CommandResult, refuse } from './commands.ts';
import { loseAllAttempts } from './lost-attempts.ts';
import type { NodeRecord } from './records.ts';
import { refuseRemoved } from './removed.ts';
import { voterPolicyOf } from './voter-policy.ts';

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

const DONE: CommandResult = { ok: true };

export function announceNode(changes: ChangeSet, command: Of<'announceNode'>): CommandResult {
  const { node, addresses, http, version } = command;
  return putNode(changes, { id: node, addresses, http, version });
}

/** Who is to leave gets no more jobs from now on. */
export function wishMember(changes: ChangeSet, { node: id, wish }: Of<'wishMember'>): CommandResult {
  const { nodes, runners } = changes.state;
  const known = nodes.get(id);
  if (known === undefined) return refuse('notFound', `no member has the id ${id}`);
  const { wish: before, ...rest } = known;
  if ((before ?? 'none') !== wish) changes.putNode(id, wish === 'none' ? rest : { ...rest, wish });
  const runner = runners.get(id);
  if (wish === 'leave' && runner?.state === 'ready') changes.putRunner({ ...runner, state: 'draining' });
  return DONE;
}

export function setVoterPolicy(changes: ChangeSet, command: Of<'setVoterPolicy'>): CommandResult {
  const { state } = changes;
  if (state.cluster === null) return refuse('wrongState', 'there is no cluster yet');
  const now = voterPolicyOf(state);
  const voterPolicy = { voters: command.voters ?? now.voters, replaceDead: command.replaceDead ?? now.replaceDead };
  state.cluster = { ...state.cluster, voterPolicy };
  return DONE;
}

/** Its runner goes with it. */
export function forgetNode(changes: ChangeSet, { node }: Of<'forgetNode'>): CommandResult {
  if (changes.state.runners.has(node)) {
    loseAllAttempts(changes, node, 'the node was removed from the cluster');
    changes.removeRunner(node);
  }
  changes.removeNode(node);
  return DONE;
}

/** What a user wished of it stays. */
export function putNode(changes: ChangeSet, record: Omit<NodeRecord, 'wish'>): CommandResult {
  const { nodes } = changes.state;
  const refusal = refuseRemoved(changes.state, record.id);
  if (refusal !== null) return refusal;
  const known = nodes.get(record.id);
  if (known === undefined && nodes.size >= LIMITS.members) {
    return refuse('tooManyRequests', `the cluster has ${LIMITS.members} members (members)`);
  }
  changes.putNode(record.id, known?.wish === undefined ? record : { ...record, wish: known.wish });
  return DONE;
}
