import type { ClusterView, MemberView, QueueView, RunnerView, StatsView } from '../../../../src/api/views.ts';
import type { Snapshot } from '../../../../node/cli/top/snapshot.ts';

const AT = '2026-01-01T10:20:30.000Z';
const AMOUNTS = { cpu: 8, memory: 2 ** 34, gpu: 0, disk: 0, custom: {} };

export function memberView(id: string, changes: Partial<MemberView> = {}): MemberView {
  return {
    id,
    role: 'voter',
    addresses: [],
    http: `http://${id}:8750`,
    health: 'alive',
    version: '0.1.0',
    wish: null,
    commitIndex: 12,
    appliedIndex: 11,
    lag: 1,
    lastSeen: AT,
    ...changes,
  };
}

export function runnerView(id: string, running: number, changes: Partial<RunnerView> = {}): RunnerView {
  return {
    id,
    incarnation: 'i',
    total: AMOUNTS,
    free: { ...AMOUNTS, cpu: 8 - running, memory: 2 ** 33 },
    labels: { os: 'linux' },
    state: 'ready',
    running: Array.from({ length: running }, (_, i) => `job-${i}`),
    load: { load1: 1.25, memoryFree: 0, diskFree: 0 },
    ...changes,
  };
}

export function queueView(name: string, changes: Partial<QueueView> = {}): QueueView {
  const none = { running: null, cpu: null, memory: null };
  return {
    name,
    weight: 1,
    paused: false,
    strategy: 'spread',
    preemption: 'off',
    limits: none,
    projectLimits: none,
    queued: 0,
    running: 0,
    used: AMOUNTS,
    share: 0.25,
    projects: [],
    index: null,
    ...changes,
  };
}

export function statsView(changes: Partial<StatsView> = {}): StatsView {
  const ended = { succeeded: 12_345, failed: 6, timedOut: 0, cancelled: 0, lost: 0, expired: 0 };
  return {
    jobs: { waiting: 1, queued: 2000, assigned: 3, running: 4 },
    totals: { submitted: 14_000, started: 13_000, ended },
    oldestQueued: null,
    index: 12,
    ...changes,
  };
}

export function clusterView(members: readonly MemberView[], changes: Partial<ClusterView> = {}): ClusterView {
  return {
    clusterId: 'c1',
    node: 'n1',
    leader: 'n1',
    term: 3,
    commitIndex: 12,
    appliedIndex: 11,
    members,
    faultTolerance: 1,
    warnings: [],
    settings: { voters: 3, replaceDeadAfter: 'automatic' },
    ...changes,
  };
}

export function snapshotOf(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    at: AT,
    stats: statsView(),
    rates: { submitted: 10, started: 9.06, ended: null },
    cluster: clusterView([memberView('n1'), memberView('n2', { health: 'unreachable', lag: null, lastSeen: null })]),
    runners: [runnerView('r1', 2), runnerView('r2', 6, { state: 'draining' })],
    queues: [queueView('a'), queueView('b', { queued: 7, paused: true })],
    ...changes,
  };
}
