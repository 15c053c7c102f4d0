import type { Readiness } from '../../src/api/views.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Core } from '../core.ts';
import type { Replica } from '../replica/replica.ts';
import type { BackupService } from './backup-service.ts';
import type { ClusterService } from './cluster-service.ts';
import type { EventFeed } from './event-feed.ts';
import type { GroupService } from './group-service.ts';
import type { JobService } from './job-service.ts';
import type { LogService } from './log-service.ts';
import type { MemberService } from './member-service.ts';
import type { OwnThings } from './own-things.ts';
import type { QueueService } from './queue-service.ts';
import type { ScheduleService } from './schedule-service.ts';
import type { TokenService } from './token-service.ts';

export interface NodeCoreParts {
  readonly self: NodeId;
  readonly replica: Replica;
  readonly own: OwnThings;
  readonly jobs: JobService;
  readonly groups: GroupService;
  readonly queues: QueueService;
  readonly schedules: ScheduleService;
  readonly logs: LogService;
  readonly events: EventFeed;
  readonly cluster: ClusterService;
  readonly members: MemberService;
  readonly backups: BackupService;
  readonly tokens: TokenService;
  readonly readiness: () => Readiness;
}

/** Puts the services together into what an edge asks. */
export function createCore(parts: NodeCoreParts): Core {
  const { self, replica, own, jobs, groups, queues, schedules, logs, events, cluster, members, backups, tokens } =
    parts;
  return {
    authenticate: (bearer) => tokens.authenticate(bearer),
    checkOwn: (identity, thing) => own.check(identity, thing),
    batchBase: (identity, key) => jobs.batchBase(identity, key),
    submit: (identity, items) => jobs.submit(identity, items),
    job: (id, consistency) => jobs.get(id, consistency),
    jobs: (query, consistency) => jobs.list(query, consistency),
    waitForJob: (id, timeoutMs, signal) => jobs.wait(id, timeoutMs, signal),
    cancelJob: (identity, id, mode) => jobs.cancel(identity, id, mode),
    retryJob: (identity, id) => jobs.retry(identity, id),
    explainJob: (id, consistency) => jobs.explain(id, consistency),
    createGroup: (identity, spec, idempotency) => groups.create(identity, spec, idempotency),
    group: (id, consistency) => groups.get(id, consistency),
    groups: (query, consistency) => groups.list(query, consistency),
    closeGroup: (identity, id) => groups.close(identity, id),
    cancelGroup: (identity, id) => groups.cancel(identity, id),
    waitForGroup: (id, timeoutMs, signal) => groups.wait(id, timeoutMs, signal),
    queue: (name, consistency) => queues.get(name, consistency),
    queues: (query, consistency) => queues.list(query, consistency),
    setQueue: (identity, name, change) => queues.set(identity, name, change),
    resetQueue: (identity, name) => queues.reset(identity, name),
    stats: (consistency) => cluster.stats(consistency),
    createSchedule: (identity, name, settings) => schedules.create(identity, name, settings),
    schedule: (name, consistency) => schedules.get(name, consistency),
    schedules: (query, consistency) => schedules.list(query, consistency),
    setSchedule: (identity, name, change) => schedules.set(identity, name, change),
    deleteSchedule: (identity, name) => schedules.delete(identity, name),
    triggerSchedule: (identity, name, idempotency) => schedules.trigger(identity, name, idempotency),
    logs: (id, query, signal) => logs.read(id, query, signal),
    events: ({ after, filter }, signal) => events.follow(after, filter, signal),
    runners: (consistency) => cluster.runners(consistency),
    drainRunner: (identity, id, mode) => cluster.drain(identity, id, mode),
    cluster: (consistency) => cluster.view(consistency),
    async setMemberRole(identity, id, role, mode) {
      await members.setRole(identity, id, role, mode);
      return cluster.view('linearizable');
    },
    async removeMember(identity, id, mode) {
      await members.remove(identity, id, mode);
      // Who removed itself reads no more than it has.
      return cluster.view(id === self ? 'stale' : 'linearizable');
    },
    async transferLeadership(identity, to) {
      await members.transfer(identity, to);
      return cluster.view('linearizable');
    },
    setVoterPolicy: (identity, change) => cluster.setVoterPolicy(identity, change),
    backup: () => backups.make(),
    tokens: () => tokens.list(),
    createToken: (identity, request) => tokens.create(identity, request),
    createJoinToken: (identity, request) => tokens.createJoinToken(identity, request),
    revokeToken: (identity, id) => tokens.revoke(identity, id),
    readiness: parts.readiness,
    appliedIndex: () => replica.applier.applied,
  };
}
