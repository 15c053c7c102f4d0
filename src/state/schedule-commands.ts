import type { Principal } from '../auth.ts';
import { unreachable } from '../errors.ts';
import type { JobId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import {
  type BufferedFiring,
  changeSchedule,
  createSchedule,
  failToPlan,
  note,
  planNext,
  type Schedule,
  type ScheduleSettings,
} from '../schedules/schedule.ts';
import type { ChangeSet } from './change-set.ts';
import { type Command, type CommandResult, refuse, type Refusal } from './commands.ts';
import { knownRequest, noteRequest, refuseKey } from './idempotency.ts';
import { submit } from './job-commands.ts';
import { type Asker, identify, permit } from './permissions.ts';

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

const DONE: CommandResult = { ok: true };

/** To make the same one again changes nothing. */
export function create(changes: ChangeSet, { name, settings }: Of<'createSchedule'>, asker: Asker): CommandResult {
  const { state, now } = changes;
  const known = state.schedules.get(name);
  if (known !== undefined) {
    const isSame = JSON.stringify(settingsOf(known)) === JSON.stringify(settingsOf(settings));
    return isSame ? { ok: true, existed: true } : refuse('conflict', `there is another schedule ${name}`, 'name');
  }
  if (state.schedules.size >= LIMITS.schedules) {
    return refuse('tooManyRequests', `the cluster has ${LIMITS.schedules} schedules (schedules)`);
  }
  changes.putSchedule(name, createSchedule(name, settingsOf(settings), ownerOf(asker), now));
  return DONE;
}

/** Who changes it owns it from then on. */
export function set(changes: ChangeSet, { name, change }: Of<'setSchedule'>, asker: Asker): CommandResult {
  const schedule = find(changes, name);
  if ('code' in schedule) return schedule;
  changes.putSchedule(name, changeSchedule(schedule, change, ownerOf(asker), changes.now));
  return DONE;
}

export function remove(changes: ChangeSet, { name }: Of<'deleteSchedule'>): CommandResult {
  const schedule = find(changes, name);
  if ('code' in schedule) return schedule;
  changes.putSchedule(name, null);
  return DONE;
}

/** What keeps it from being fired is told to who asks, and not noted. */
export function trigger(changes: ChangeSet, command: Of<'triggerSchedule'>, asker: Asker): CommandResult {
  const { name, job, idempotency = null } = command;
  const known = knownRequest(changes.state, idempotency, asker.id, 'job');
  const refusal = known ?? refuseKey(changes.state, idempotency);
  if (refusal !== null) return refusal;
  const schedule = find(changes, name);
  if ('code' in schedule) return schedule;
  if (schedule.mode === 'paused') return refuse('schedulePaused', `the schedule ${name} is paused`);
  const started = start(changes, schedule, { due: null, job, by: ownerOf(asker) });
  const last = started.firings.at(-1);
  if (last?.outcome === 'refused') return refuse(last.code, last.message);
  if (last?.outcome === 'skipped') {
    return refuse('scheduleBusy', `a job of ${name} is not final yet, and its overlap is ${schedule.overlap}`);
  }
  changes.putSchedule(name, started);
  return noteRequest(changes, idempotency, asker.id, { job }) ?? { ok: true, job };
}

export function plan(changes: ChangeSet, command: Of<'planSchedule'>): CommandResult {
  const { now } = changes;
  const { name, after, next, problem } = command;
  const schedule = current(changes, command);
  if ('code' in schedule) return schedule;
  const { timing } = schedule;
  const isUnplanned = timing.state === 'unplanned' && timing.after === after;
  // Its line may turn out to be unreadable when its time has come.
  const isDue = timing.state === 'planned' && timing.at === after && problem !== null;
  if (!isUnplanned && !isDue) return refuse('wrongState', 'the schedule is not to be planned from that time');
  if (next !== null && next <= after) return refuse('invalidRequest', 'the next time must be behind the one before');
  changes.putSchedule(
    name,
    problem === null ? planNext(schedule, next, now) : failToPlan(schedule, problem.code, problem.message, now),
  );
  return DONE;
}

/** Once for each due time: a second one finds that another is due. */
export function fire(changes: ChangeSet, command: Of<'fireSchedule'>): CommandResult {
  const { now } = changes;
  const { name, due, latest, next, missed, job } = command;
  const schedule = current(changes, command);
  if ('code' in schedule) return schedule;
  const { timing } = schedule;
  if (timing.state !== 'planned' || timing.at !== due) return refuse('wrongState', 'the schedule is not due then');
  if (latest > now.at) return refuse('wrongState', 'the schedule is not due yet');
  const isSound = latest >= due && latest > due === missed.count > 0 && (next === null || next > latest);
  if (!isSound) return refuse('invalidRequest', 'the times of the firing contradict each other');
  const isTooLate = now.at - latest > schedule.catchUpMs;
  const count = missed.count + (isTooLate ? 1 : 0);
  let fired = planNext(schedule, next, now);
  if (count > 0) {
    const told = { ...fired, missed: missed.of === 'atLeast' ? missed.of : fired.missed };
    fired = note(told, { due, at: now.at, outcome: 'missed', count }, now);
  }
  changes.putSchedule(name, isTooLate ? fired : start(changes, fired, { due: latest, job, by: schedule.owner }));
  return DONE;
}

/** Submits what waited for jobs that this entry ended. */
export function startBuffered(changes: ChangeSet): void {
  const { schedules, relations } = changes.state;
  for (let ended = changes.takeEndedSchedules(); ended.length > 0; ended = changes.takeEndedSchedules()) {
    for (const name of ended) {
      const schedule = schedules.get(name);
      if (schedule === undefined || schedule.buffered === null || relations.scheduledBy(name).size > 0) continue;
      changes.putSchedule(name, submitNow(changes, { ...schedule, buffered: null }, schedule.buffered));
    }
  }
}

/** Heeds the overlap. @returns the schedule with the firing noted; the caller puts it */
function start(changes: ChangeSet, schedule: Schedule, firing: BufferedFiring): Schedule {
  const { now, state } = changes;
  const { name, overlap, buffered } = schedule;
  if (overlap === 'allowAll' || state.relations.scheduledBy(name).size === 0) {
    return submitNow(changes, schedule, firing);
  }
  const told = { due: firing.due, at: now.at };
  switch (overlap) {
    case 'skip':
      return note(schedule, { ...told, outcome: 'skipped' }, now);
    case 'bufferOne':
      if (buffered !== null) return note(schedule, { ...told, outcome: 'skipped' }, now);
      return note({ ...schedule, buffered: firing }, { ...told, outcome: 'buffered', job: firing.job }, now);
    case 'cancelOther': {
      cancelJobs(changes, name);
      const freed =
        buffered === null ? schedule : note(schedule, { due: buffered.due, at: now.at, outcome: 'skipped' }, now);
      return note({ ...freed, buffered: firing }, { ...told, outcome: 'buffered', job: firing.job }, now);
    }
    default:
      return unreachable(overlap);
  }
}

/** In this entry and those that follow. */
function cancelJobs(changes: ChangeSet, schedule: string): void {
  const upTo = changes.state.cluster?.submissions ?? 0;
  const by = `a firing of its schedule ${schedule}`;
  changes.putFollowUp({ kind: 'scheduled', schedule, by, after: 0, upTo, at: changes.now.at });
}

/** As the one who owns the schedule or triggered it, if that one still may. */
function submitNow(changes: ChangeSet, schedule: Schedule, { due, job, by }: BufferedFiring): Schedule {
  const { state, now } = changes;
  const asker = identify(state, by, now.at);
  const result = 'code' in asker ? asker : submitAs(changes, schedule, asker, { due, job });
  const told = { due, at: now.at };
  if (result.ok) return note(schedule, { ...told, outcome: 'fired', job }, now);
  return note(schedule, { ...told, outcome: 'refused', code: result.code, message: result.message }, now);
}

function submitAs(
  changes: ChangeSet,
  { name, spec }: Schedule,
  asker: Asker,
  { due, job }: { readonly due: number | null; readonly job: JobId },
): CommandResult {
  const forbidden = permit(changes.state, asker, 'submit', 'founded');
  if (forbidden !== null) return forbidden;
  if (changes.state.jobs.has(job)) return refuse('conflict', 'the id is taken');
  return submit(changes, { kind: 'submit', id: job, spec, placement: null, idempotency: null }, asker.id, {
    name,
    due,
  });
}

/** In an order of its own, and nothing else. */
function settingsOf({ cron, timeZone, spec, overlap, catchUpMs, mode }: ScheduleSettings): ScheduleSettings {
  return { cron, timeZone, spec, overlap, catchUpMs, mode };
}

function ownerOf(asker: Asker): Principal {
  const token = 'token' in asker ? asker.token : null;
  return { id: asker.id, token, kind: asker.kind };
}

/** As it was when the leader looked at it. */
function current(
  changes: ChangeSet,
  { name, revision }: { readonly name: string; readonly revision: number },
): Schedule | Refusal {
  const schedule = find(changes, name);
  if ('code' in schedule || schedule.revision === revision) return schedule;
  return refuse('wrongState', 'the schedule was changed meanwhile');
}

function find(changes: ChangeSet, name: string): Schedule | Refusal {
  return changes.state.schedules.get(name) ?? refuse('unknownSchedule', `there is no schedule ${name}`);
}
