import { v7 as uuidv7 } from 'uuid';
import { type FiringView, type ScheduleView, toFiringView, toScheduleView } from '../../src/api/schedule-view.ts';
import type { Page } from '../../src/api/views.ts';
import type { Identity } from '../../src/auth.ts';
import { Rejection } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import type { Timestamp } from '../../src/jobs/job.ts';
import type { Schedule, ScheduleSettings } from '../../src/schedules/schedule.ts';
import type { Command, CommandResult, Idempotency } from '../../src/state/commands.ts';
import type { Consistency, ScheduleQuery } from '../core.ts';
import type { CronLines } from '../cron/cron-line.ts';
import type { Replica } from '../replica/replica.ts';
import type { HeapRoom } from './heap-room.ts';
import { expectTaken } from './results.ts';

export interface ScheduleServiceDependencies {
  readonly replica: Pick<Replica, 'state' | 'propose' | 'barrier'>;
  readonly lines: CronLines;
  readonly room: Pick<HeapRoom, 'expectRoom'>;
  readonly now: () => Timestamp;
}

/** Next times that are told of one schedule. */
const TIMES_TOLD = 5;

export class ScheduleService {
  readonly #parts: ScheduleServiceDependencies;

  constructor(dependencies: ScheduleServiceDependencies) {
    this.#parts = dependencies;
  }

  async create(
    identity: Identity,
    name: string,
    settings: ScheduleSettings,
  ): Promise<{ readonly schedule: ScheduleView; readonly existed: boolean }> {
    const { lines, room, now } = this.#parts;
    room.expectRoom();
    lines.expectToFire(settings.cron, settings.timeZone, now());
    const result = await this.#propose(identity, { kind: 'createSchedule', name, settings });
    return { schedule: this.#view(name, TIMES_TOLD), existed: result.ok && result.existed === true };
  }

  async get(name: string, consistency: Consistency): Promise<ScheduleView> {
    await this.#settle(consistency);
    return this.#view(name, TIMES_TOLD);
  }

  async list({ limit, cursor }: ScheduleQuery, consistency: Consistency): Promise<Page<ScheduleView>> {
    await this.#settle(consistency);
    const all = [...this.#parts.replica.state.schedules.keys()].toSorted();
    const names = all.filter((name) => cursor === null || name > cursor);
    const page = names.slice(0, limit);
    return {
      items: page.map((name) => this.#view(name, 1)),
      nextCursor: names.length > limit ? (page.at(-1) ?? null) : null,
    };
  }

  async set(identity: Identity, name: string, change: Partial<ScheduleSettings>): Promise<ScheduleView> {
    const { replica, lines, now } = this.#parts;
    if (change.cron !== undefined || change.timeZone !== undefined) {
      await replica.barrier();
      const { cron, timeZone } = { ...this.#find(name), ...change };
      lines.expectToFire(cron, timeZone, now());
    }
    await this.#propose(identity, { kind: 'setSchedule', name, change });
    return this.#view(name, TIMES_TOLD);
  }

  async delete(identity: Identity, name: string): Promise<void> {
    await this.#propose(identity, { kind: 'deleteSchedule', name });
  }

  async trigger(identity: Identity, name: string, idempotency: Idempotency | null): Promise<FiringView> {
    this.#parts.room.expectRoom();
    const id = uuidv7() as JobId;
    const result = await this.#propose(identity, { kind: 'triggerSchedule', name, job: id, idempotency });
    const { job = id } = result.ok ? result : {};
    const { state } = this.#parts.replica;
    const schedule = state.schedules.get(name);
    const firing = schedule?.firings.findLast((one) => 'job' in one && one.job === job);
    if (firing !== undefined) return toFiringView(firing);
    // Others came behind it already.
    const outcome = schedule?.buffered?.job === job ? 'buffered' : 'fired';
    return toFiringView({ due: null, at: state.cluster?.clock ?? 0, outcome, job });
  }

  async #propose(identity: Identity, command: Command): Promise<CommandResult> {
    const results = await this.#parts.replica.propose(identity.principal, [command]);
    expectTaken(results);
    return results[0] ?? { ok: true };
  }

  #view(name: string, times: number): ScheduleView {
    const { relations } = this.#parts.replica.state;
    const schedule = this.#find(name);
    return toScheduleView(schedule, this.#nextTimes(schedule, times), relations.scheduledBy(name).size);
  }

  /** Also of one that the leader has yet to plan. */
  #nextTimes({ cron, timeZone, timing }: Schedule, count: number): Timestamp[] {
    if (timing.state === 'paused' || timing.state === 'over') return [];
    const times = timing.state === 'planned' ? [timing.at] : [];
    if (times.length >= count) return times;
    try {
      const line = this.#parts.lines.read(cron, timeZone);
      let next = line.next(timing.state === 'planned' ? timing.at : timing.after);
      for (; next !== null && times.length < count; next = line.next(next)) times.push(next);
    } catch (error) {
      // This node knows other time zones than the one that took it.
      if (!(error instanceof Rejection)) throw error;
    }
    return times;
  }

  #find(name: string): Schedule {
    const schedule = this.#parts.replica.state.schedules.get(name);
    if (schedule === undefined) throw new Rejection('unknownSchedule', `there is no schedule ${name}`);
    return schedule;
  }

  async #settle(consistency: Consistency): Promise<void> {
    if (consistency === 'linearizable') await this.#parts.replica.barrier();
  }
}
