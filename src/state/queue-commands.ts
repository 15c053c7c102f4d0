import { changeQueue } from '../jobs/queue-settings.ts';
import { LIMITS } from '../limits.ts';
import type { ChangeSet } from './change-set.ts';
import { type Command, type CommandResult, refuse } from './commands.ts';
import { settingsOf } from './state.ts';

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

const DONE: CommandResult = { ok: true };

export function set(changes: ChangeSet, { name, change }: Of<'setQueue'>): CommandResult {
  const { state, now } = changes;
  if (!state.queues.has(name) && state.queues.size >= LIMITS.queues) {
    return refuse('tooManyRequests', `something is set for ${LIMITS.queues} queues (queues)`);
  }
  changes.putQueue(name, { ...changeQueue(settingsOf(state, name), change), index: now.index });
  return DONE;
}

export function reset(changes: ChangeSet, { name }: Of<'resetQueue'>): CommandResult {
  if (changes.state.queues.has(name)) changes.putQueue(name, null);
  return DONE;
}
