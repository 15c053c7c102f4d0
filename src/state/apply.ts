import { unreachable } from '../errors.ts';
import { ChangeSet, type ChangeEvent } from './change-set.ts';
import { clock } from './clock-command.ts';
import * as clusterCommands from './cluster-commands.ts';
import { type Command, type CommandResult, type EntryPayload, type Proposal, refuse } from './commands.ts';
import { carryOutFollowUps } from './follow-ups.ts';
import * as groupCommands from './group-commands.ts';
import * as jobCommands from './job-commands.ts';
import * as memberCommands from './member-commands.ts';
import { type Asker, identify, permit, permitOwn } from './permissions.ts';
import { preempt } from './preempt-command.ts';
import { purge } from './purge-command.ts';
import type { StateRecord } from './records.ts';
import { judgeRepeat, noteApplied, repeatedResults } from './repeats.ts';
import * as queueCommands from './queue-commands.ts';
import * as runnerCommands from './runner-commands.ts';
import * as scheduleCommands from './schedule-commands.ts';
import { isCommand, isTimestamp } from './shapes.ts';
import type { ClusterState } from './state.ts';

export type { ChangeEvent };

/** For the proposer: one result per command. */
export interface ProposalResults {
  readonly origin: string;
  readonly sequence: number;
  readonly results: readonly CommandResult[];
}

export interface AppliedEntry {
  /** A proposal whose answer is not known any more has none here. */
  readonly results: readonly ProposalResults[];
  /** Each record that the entry touched, once, with its final value. */
  readonly changes: readonly StateRecord[];
  readonly events: readonly ChangeEvent[];
}

/**
 * Applies one entry of the log. Deterministic: it looks at nothing but the state and the entry. Total: a bad command is
 * refused, as a result that every replica finds alike, and the rest goes on.
 *
 * @param index of the entry
 */
export function apply(state: ClusterState, entry: EntryPayload, index: number): AppliedEntry {
  const at = tellTime(state, entry);
  const changes = new ChangeSet(state, { at, index });
  const results: ProposalResults[] = [];
  for (const proposal of entry.proposals) {
    const answer = applyProposal(changes, proposal);
    if (answer !== null) results.push({ origin: proposal.origin, sequence: proposal.sequence, results: answer });
  }
  carryOutFollowUps(changes);
  scheduleCommands.startBuffered(changes);
  return { results, changes: changes.finish(), events: changes.events };
}

/** The leader's time, which never goes back, whoever leads. */
function tellTime(state: ClusterState, entry: EntryPayload): number {
  const { cluster } = state;
  const told = isTimestamp(entry.at) ? entry.at : 0;
  if (cluster === null) return told;
  const at = Math.max(told, cluster.clock);
  state.cluster = { ...cluster, clock: at };
  return at;
}

function applyProposal(changes: ChangeSet, proposal: Proposal): readonly CommandResult[] | null {
  const { state, now } = changes;
  const { origin, sequence, principal, commands } = proposal;
  const record = state.proposers.get(origin);
  const verdict = judgeRepeat(record, sequence);
  if (verdict === 'forgotten') return null;
  const asker = identify(state, principal, now.at);
  if (verdict === 'repeated') return 'code' in asker ? null : repeatedResults(state, commands, asker.id);
  const results = 'code' in asker ? commands.map(() => asker) : applyCommands(changes, commands, asker);
  const outcome = results.every(({ ok }) => ok) ? 'taken' : 'refusing';
  changes.putProposer(origin, noteApplied(record, sequence, outcome, now.index));
  return results;
}

function applyCommands(changes: ChangeSet, commands: readonly Command[], asker: Asker): CommandResult[] {
  const hadCluster = changes.state.cluster !== null;
  return commands.map((command) => {
    if (!isCommand(command)) return refuse('invalidRequest', 'the command is malformed');
    const founding = !hadCluster && changes.state.cluster !== null ? 'founding' : 'founded';
    return (
      permit(changes.state, asker, command.kind, founding) ??
      permitOwn(changes.state, asker, command) ??
      applyCommand(changes, command, asker)
    );
  });
}

function applyCommand(changes: ChangeSet, command: Command, asker: Asker): CommandResult {
  switch (command.kind) {
    case 'submit':
      return jobCommands.submit(changes, command, asker.id);
    case 'assign':
      return jobCommands.assign(changes, command);
    case 'handBack':
      return jobCommands.handBack(changes, command);
    case 'preempt':
      return preempt(changes, command);
    case 'started':
      return jobCommands.started(changes, command);
    case 'ended':
      return jobCommands.ended(changes, command);
    case 'cancel':
      return jobCommands.cancel(changes, command, asker.id);
    case 'retry':
      return jobCommands.retry(changes, command);
    case 'createGroup':
      return groupCommands.create(changes, command, asker.id);
    case 'closeGroup':
      return groupCommands.close(changes, command);
    case 'cancelGroup':
      return groupCommands.cancel(changes, command, asker.id);
    case 'createSchedule':
      return scheduleCommands.create(changes, command, asker);
    case 'setSchedule':
      return scheduleCommands.set(changes, command, asker);
    case 'deleteSchedule':
      return scheduleCommands.remove(changes, command);
    case 'triggerSchedule':
      return scheduleCommands.trigger(changes, command, asker);
    case 'planSchedule':
      return scheduleCommands.plan(changes, command);
    case 'fireSchedule':
      return scheduleCommands.fire(changes, command);
    case 'setQueue':
      return queueCommands.set(changes, command);
    case 'resetQueue':
      return queueCommands.reset(changes, command);
    case 'registerRunner':
      return runnerCommands.registerRunner(changes, command);
    case 'loseRunner':
      return runnerCommands.loseRunner(changes, command);
    case 'drainRunner':
      return runnerCommands.drainRunner(changes, command);
    case 'clock':
      return clock(changes);
    case 'purge':
      return purge(changes, command);
    case 'announceNode':
      return memberCommands.announceNode(changes, command);
    case 'wishMember':
      return memberCommands.wishMember(changes, command);
    case 'setVoterPolicy':
      return memberCommands.setVoterPolicy(changes, command);
    case 'forgetNode':
      return memberCommands.forgetNode(changes, command);
    case 'createToken':
      return clusterCommands.createToken(changes, command, asker);
    case 'revokeToken':
      return clusterCommands.revokeToken(changes, command);
    case 'createJoinToken':
      return clusterCommands.createJoinToken(changes, command);
    case 'useJoinToken':
      return clusterCommands.useJoinToken(changes, command);
    case 'createCluster':
      return clusterCommands.createCluster(changes, command);
    case 'refoundCluster':
      return clusterCommands.refoundCluster(changes, command);
    default:
      return unreachable(command);
  }
}
