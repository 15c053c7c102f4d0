import type { Group } from '../jobs/group.ts';
import { toTime } from './job-view.ts';
import type { GroupView } from './views.ts';

export function toGroupView(group: Group): GroupView {
  const { id, name, project, labels, state, maxRunning, onFailure, counts, createdBy, cancelled, index } = group;
  return {
    id,
    name,
    project,
    labels,
    state,
    maxRunning,
    failFast: onFailure === 'cancel',
    counts,
    createdBy,
    createdAt: toTime(group.createdAt),
    finishedAt: group.state === 'finished' ? toTime(group.finishedAt) : null,
    cancelledBy: cancelled?.by ?? null,
    index,
  };
}
