import type { QueueLimits } from '../jobs/queue-settings.ts';
import { dominantShare } from '../scheduling/use.ts';
import { type ClusterState, settingsOf } from '../state/state.ts';
import { toResourcesView } from './resources-view.ts';
import type { QueueLimitsView, QueueProjectView, QueueView } from './views.ts';

export function toQueueView(state: ClusterState, name: string): QueueView {
  const { weight, state: mode, strategy, preemption, limits, projectLimits } = settingsOf(state, name);
  const { running, taken } = state.use.useOf(name);
  return {
    name,
    weight,
    paused: mode === 'paused',
    strategy,
    preemption,
    limits: toLimitsView(limits),
    projectLimits: toLimitsView(projectLimits),
    queued: state.queue.queues.get(name)?.size ?? 0,
    running,
    used: toResourcesView(taken),
    share: dominantShare({ running, taken }, state.use.capacity),
    projects: projectsOf(state, name),
    index: state.queues.get(name)?.index ?? null,
  };
}

/** Those for which something is set, and those of which a job is queued or runs; by name. */
export function queueNames(state: ClusterState): readonly string[] {
  return [...new Set([...state.queues.keys(), ...state.use.queues.keys()])].toSorted();
}

function projectsOf({ use, queue }: ClusterState, name: string): QueueProjectView[] {
  const projects = [...(use.queues.get(name)?.projects ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return projects.map(([project, { use: own }]) => ({
    project,
    queued: queue.sizeOfLane(name, project),
    running: own.running,
    used: toResourcesView(own.taken),
    share: dominantShare(own, use.capacity),
  }));
}

function toLimitsView({ running, cpuMilli, memoryBytes }: QueueLimits): QueueLimitsView {
  return { running, cpu: cpuMilli === null ? null : cpuMilli / 1000, memory: memoryBytes };
}
