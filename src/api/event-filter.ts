import type { GroupId, JobId } from '../ids.ts';
import type { Group } from '../jobs/group.ts';
import type { JobState } from '../jobs/job.ts';
import type { EventKind, JobEventView } from './event-view.ts';
import { kindOf, type KeptChange } from './to-event-view.ts';

/** Which events are told: all that is given must match. */
export interface EventFilter {
  readonly kinds: ReadonlySet<EventKind>;
  readonly job?: JobId | undefined;
  readonly project?: string | undefined;
  readonly queue?: string | undefined;
  readonly group?: GroupId | undefined;
  readonly parent?: JobId | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** The job came to one of these. */
  readonly states?: ReadonlySet<JobState> | undefined;
}

/**
 * What narrows to jobs leaves out what is no job, but for groups, which have a project, labels and an id of their own.
 * A job or group that is gone tells no more than its id, and matches that alone.
 */
export function matchesEvent(change: KeptChange, filter: EventFilter): boolean {
  if (!filter.kinds.has(kindOf(change))) return false;
  switch (change.kind) {
    case 'job':
      return (filter.job === undefined || filter.job === change.id) && matchesJob(change.job, filter);
    case 'group':
      return (filter.group === undefined || filter.group === change.id) && matchesGroup(change.group, filter);
    default:
      return !narrowsToJobs(filter);
  }
}

function matchesJob(job: JobEventView | null, filter: EventFilter): boolean {
  const { project, queue, group, parent, labels, states } = filter;
  if (job === null) {
    return [project, queue, group, parent, labels, states].every((wanted) => wanted === undefined);
  }
  return (
    (project === undefined || project === job.project) &&
    (queue === undefined || queue === job.queue) &&
    (group === undefined || group === job.group) &&
    (parent === undefined || parent === job.parent) &&
    (states === undefined || states.has(job.state)) &&
    hasLabels(job.labels, labels)
  );
}

function matchesGroup(group: Group | null, { job, project, queue, parent, labels, states }: EventFilter): boolean {
  if (job !== undefined || queue !== undefined || parent !== undefined || states !== undefined) return false;
  if (group === null) return project === undefined && labels === undefined;
  return (project === undefined || project === group.project) && hasLabels(group.labels, labels);
}

function narrowsToJobs({ kinds: _kinds, ...narrowing }: EventFilter): boolean {
  return Object.values(narrowing).some((wanted) => wanted !== undefined);
}

function hasLabels(labels: Readonly<Record<string, string>>, wanted: EventFilter['labels']): boolean {
  if (wanted === undefined) return true;
  for (const [name, value] of Object.entries(wanted)) if (labels[name] !== value) return false;
  return true;
}
