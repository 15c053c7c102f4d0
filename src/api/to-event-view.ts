import type { Job, JobState, Timestamp } from '../jobs/job.ts';
import type { ChangeEvent } from '../state/apply.ts';
import type { EventKind, EventView, JobEventView } from './event-view.ts';
import { toGroupView } from './group-view.ts';
import { toTime } from './job-view.ts';

/** Where an event stands among all: entries in the order of the log, and within one the order of what it changed. */
export interface EventPosition {
  readonly index: number;
  /** From 0; Infinity stands behind all of the entry. */
  readonly ordinal: number;
}

/** A change as it is kept for readers to come: of a job what an event tells, since its spec may be large. */
export type KeptChange =
  | { readonly kind: 'job'; readonly id: string; readonly job: JobEventView | null }
  | Exclude<ChangeEvent, { readonly kind: 'job' | 'purged' | 'token' | 'schedule' }>;

export interface KeptEvent extends EventPosition {
  readonly at: Timestamp;
  readonly change: KeptChange;
}

/** @returns null for what is no one's to follow: tokens, and schedules, of which the jobs tell */
export function keptChange(event: ChangeEvent): KeptChange | null {
  switch (event.kind) {
    case 'job':
      return { kind: 'job', id: event.job.id, job: toJobEvent(event.job, event.before) };
    case 'purged':
      return { kind: 'job', id: event.id, job: null };
    case 'token':
    case 'schedule':
      return null;
    default:
      return event;
  }
}

export function kindOf({ kind }: KeptChange): EventKind {
  return kind === 'node' ? 'member' : kind;
}

export function toEventView({ index, ordinal, at, change }: KeptEvent): EventView {
  const common = { id: formatPosition({ index, ordinal }), at: toTime(at) };
  switch (change.kind) {
    case 'job':
      return { ...common, kind: 'job', subject: change.id, job: change.job };
    case 'group':
      return {
        ...common,
        kind: 'group',
        subject: change.id,
        group: change.group === null ? null : toGroupView(change.group),
      };
    case 'queue': {
      const { name, queue } = change;
      const told = queue && { name, weight: queue.weight, paused: queue.state === 'paused', strategy: queue.strategy };
      return { ...common, kind: 'queue', subject: name, queue: told };
    }
    case 'runner': {
      const { id, runner } = change;
      const told = runner && { id, incarnation: runner.incarnation, state: runner.state };
      return { ...common, kind: 'runner', subject: id, runner: told };
    }
    case 'node': {
      const { id, node } = change;
      const told = node && {
        id,
        addresses: node.addresses,
        http: node.http,
        version: node.version,
        wish: node.wish ?? null,
      };
      return { ...common, kind: 'member', subject: id, member: told };
    }
  }
}

export function formatPosition({ index, ordinal }: EventPosition): string {
  return Number.isFinite(ordinal) ? `${index}.${ordinal}` : String(index);
}

/** `INDEX.ORDINAL`, or `INDEX` for behind all that its entry changed. Null: neither. */
export function parsePosition(text: string): EventPosition | null {
  const [, index, ordinal] = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (index === undefined) return null;
  return { index: Number(index), ordinal: ordinal === undefined ? Infinity : Number(ordinal) };
}

export function isBehind(one: EventPosition, other: EventPosition): boolean {
  return one.index > other.index || (one.index === other.index && one.ordinal > other.ordinal);
}

const NO_LABELS: Readonly<Record<string, string>> = {};

function toJobEvent(job: Job, before: JobState | null): JobEventView {
  const { id, state, spec, plan, past } = job;
  const live = job.state === 'assigned' || job.state === 'running' ? job.current : null;
  const last = past.at(-1);
  return {
    id,
    state,
    before,
    name: spec.name ?? null,
    project: plan.project,
    queue: plan.queue,
    labels: spec.labels ?? NO_LABELS,
    group: plan.group,
    parent: plan.parent,
    attempt: past.length + (live === null ? 0 : 1),
    runner: (live ?? last)?.runner ?? null,
    exitCode: live === null ? (last?.exitCode ?? null) : null,
    signal: live === null ? (last?.signal ?? null) : null,
    reason: 'finalAt' in job ? job.reason : live === null ? (last?.reason ?? null) : null,
  };
}
