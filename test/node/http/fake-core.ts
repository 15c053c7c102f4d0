import type { Identity, Scope } from '../../../src/auth.ts';
import type { FeedItem } from '../../../src/api/event-view.ts';
import { toGroupView } from '../../../src/api/group-view.ts';
import { queueNames, toQueueView } from '../../../src/api/queue-view.ts';
import { type FiringView, type ScheduleView, toFiringView, toScheduleView } from '../../../src/api/schedule-view.ts';
import { toStatsView } from '../../../src/api/stats-view.ts';
import type {
  ClusterView,
  ExplanationView,
  GroupView,
  JobView,
  LogEvent,
  QueueView,
  Readiness,
  RunnerView,
  StatsView,
  TokenView,
} from '../../../src/api/views.ts';
import { Rejection } from '../../../src/errors.ts';
import type { GroupId, JobId } from '../../../src/ids.ts';
import { createGroup, type GroupSpec } from '../../../src/jobs/group.ts';
import type { JobState } from '../../../src/jobs/job.ts';
import { changeQueue, type QueueChange } from '../../../src/jobs/queue-settings.ts';
import type { Idempotency } from '../../../src/state/commands.ts';
import {
  changeSchedule,
  createSchedule,
  type Schedule,
  type ScheduleSettings,
} from '../../../src/schedules/schedule.ts';
import { ClusterState, settingsOf } from '../../../src/state/state.ts';
import type {
  Core,
  EventQuery,
  GroupQuery,
  ListQuery,
  LogQuery,
  Named,
  QueueQuery,
  ScheduleQuery,
  SubmitItem,
  SubmitResult,
  VoterPolicyChange,
} from '../../../node/core.ts';
import { queuedExplanation } from '../../support/fake-api.ts';

export const BASE = '018f0000-0000-7000-8000-0123456789ab' as JobId;
export const GROUP = '00000000-0000-7000-9000-000000000001' as GroupId;

export interface Call {
  readonly method: keyof Core;
  readonly arguments: readonly unknown[];
}

const NOW = '2026-01-02T03:04:05.678Z';

/** A core that keeps jobs in a map and answers as the port says; tests replace the methods they want to fail. */
export class FakeCore implements Core {
  readonly calls: Call[] = [];
  readonly stored = new Map<JobId, JobView>();
  readonly tokensByText = new Map<string, Identity>([['admin', identity('admin', ['admin'])]]);
  anonymous: Identity | null = identity('local', ['admin']);
  ready: Readiness = { ready: true, missing: [] };
  logEvents: (query: LogQuery, signal: AbortSignal) => AsyncIterable<LogEvent> = async function* () {};
  feed: Core['events'] = async function* () {};
  readonly #keys = new Map<string, { readonly id: JobId; readonly bodyHash: string }>();
  readonly #groupKeys = new Set<string>();
  #count = 0;

  addToken(text: string, scopes: readonly Scope[]): void {
    this.tokensByText.set(text, identity(`token:${text}`, scopes));
  }

  addJob(state: JobState = 'queued'): JobView {
    const job = jobView(this.#nextId(), { command: ['true'] }, state);
    this.stored.set(job.id as JobId, job);
    return job;
  }

  async authenticate(bearer: string | null): Promise<Identity> {
    const found = bearer === null ? this.anonymous : this.tokensByText.get(bearer);
    if (found === null || found === undefined) throw new Rejection('unauthenticated', 'the token is not known');
    return found;
  }

  /** The fake knows of no job's children: such a token is good for its own job alone. */
  async checkOwn({ principal }: Identity, named: Named | null): Promise<void> {
    this.calls.push({ method: 'checkOwn', arguments: [principal, named] });
    if (principal.job === undefined || named?.kind === 'new') return;
    if (named?.kind !== 'job' || named.id !== principal.job.id) throw new Rejection('forbidden', 'not its own');
  }

  async batchBase(who: Identity, key: string): Promise<JobId> {
    this.calls.push({ method: 'batchBase', arguments: [who, key] });
    return BASE;
  }

  async submit(who: Identity, items: readonly SubmitItem[]): Promise<readonly SubmitResult[]> {
    this.calls.push({ method: 'submit', arguments: [who, items] });
    return items.map((item) => this.#submitOne(item));
  }

  #submitOne(item: SubmitItem): SubmitResult {
    const known = item.idempotency === null ? undefined : this.#keys.get(item.idempotency.key);
    if (known !== undefined) {
      if (known.bodyHash === item.idempotency?.bodyHash) return { ok: true, id: known.id, existed: true };
      return { ok: false, code: 'idempotencyConflict', message: 'the key was used for another body' };
    }
    const id = item.id ?? this.#nextId();
    this.stored.set(id, jobView(id, item.spec, 'queued'));
    if (item.idempotency !== null) this.#keys.set(item.idempotency.key, { id, bodyHash: item.idempotency.bodyHash });
    return { ok: true, id, existed: false };
  }

  #nextId(): JobId {
    this.#count += 1;
    return `00000000-0000-7000-8000-${this.#count.toString(16).padStart(12, '0')}` as JobId;
  }

  async job(id: JobId, consistency: string): Promise<JobView> {
    this.calls.push({ method: 'job', arguments: [id, consistency] });
    const found = this.stored.get(id);
    if (found === undefined) throw new Rejection('notFound', 'there is no such job');
    return found;
  }

  async jobs(query: ListQuery, consistency: string) {
    this.calls.push({ method: 'jobs', arguments: [query, consistency] });
    return { items: [...this.stored.values()].slice(0, query.limit), nextCursor: 'next' };
  }

  events(query: EventQuery, signal: AbortSignal): AsyncIterable<readonly FeedItem[]> {
    this.calls.push({ method: 'events', arguments: [query, signal] });
    return this.feed(query, signal);
  }

  async waitForJob(id: JobId, timeoutMs: number, signal: AbortSignal): Promise<JobView> {
    this.calls.push({ method: 'waitForJob', arguments: [id, timeoutMs, signal] });
    return await this.job(id, 'stale');
  }

  async cancelJob(who: Identity, id: JobId, mode: 'any' | 'queued'): Promise<JobView> {
    this.calls.push({ method: 'cancelJob', arguments: [who, id, mode] });
    const job = await this.job(id, 'stale');
    if (job.finalAt !== null) throw new Rejection('alreadyFinal', 'the job is final');
    return { ...job, state: 'cancelled', finalAt: NOW };
  }

  async retryJob(who: Identity, id: JobId): Promise<JobView> {
    this.calls.push({ method: 'retryJob', arguments: [who, id] });
    return await this.job(id, 'stale');
  }

  async explainJob(id: JobId, consistency: string): Promise<ExplanationView> {
    this.calls.push({ method: 'explainJob', arguments: [id, consistency] });
    const { state } = await this.job(id, 'stale');
    return state === 'queued' ? queuedExplanation({ runners: 1, able: 1 }) : ({ state } as never);
  }

  async createGroup(who: Identity, spec: GroupSpec, idempotency: Idempotency | null) {
    this.calls.push({ method: 'createGroup', arguments: [who, spec, idempotency] });
    const existed = idempotency !== null && this.#groupKeys.has(idempotency.key);
    if (idempotency !== null) this.#groupKeys.add(idempotency.key);
    return { group: this.#group, existed };
  }

  async group(id: GroupId): Promise<GroupView> {
    if (id !== this.#group.id) throw new Rejection('unknownGroup', 'there is no such group');
    return this.#group;
  }

  async groups(query: GroupQuery) {
    this.calls.push({ method: 'groups', arguments: [query] });
    return { items: [this.#group], nextCursor: null };
  }

  async closeGroup(who: Identity, id: GroupId): Promise<GroupView> {
    this.calls.push({ method: 'closeGroup', arguments: [who, id] });
    return { ...(await this.group(id)), state: 'closed' };
  }

  async cancelGroup(who: Identity, id: GroupId): Promise<GroupView> {
    this.calls.push({ method: 'cancelGroup', arguments: [who, id] });
    return { ...(await this.group(id)), state: 'closed', cancelledBy: 'local' };
  }

  readonly #state = new ClusterState();

  async queue(name: string): Promise<QueueView> {
    return toQueueView(this.#state, name);
  }

  async queues(query: QueueQuery, consistency: string) {
    this.calls.push({ method: 'queues', arguments: [query, consistency] });
    return { items: queueNames(this.#state).map((name) => toQueueView(this.#state, name)), nextCursor: null };
  }

  async setQueue(who: Identity, name: string, change: QueueChange): Promise<QueueView> {
    this.calls.push({ method: 'setQueue', arguments: [who, name, change] });
    this.#state.queues.set(name, { ...changeQueue(settingsOf(this.#state, name), change), index: 7 });
    return this.queue(name);
  }

  async resetQueue(who: Identity, name: string): Promise<QueueView> {
    this.calls.push({ method: 'resetQueue', arguments: [who, name] });
    this.#state.queues.delete(name);
    return this.queue(name);
  }

  async stats(consistency: string): Promise<StatsView> {
    this.calls.push({ method: 'stats', arguments: [consistency] });
    return toStatsView(this.#state, 42);
  }

  async waitForGroup(id: GroupId, timeoutMs: number, signal: AbortSignal): Promise<GroupView> {
    this.calls.push({ method: 'waitForGroup', arguments: [id, timeoutMs, signal] });
    return await this.group(id);
  }

  readonly #schedules = new Map<string, Schedule>();

  async createSchedule(who: Identity, name: string, settings: ScheduleSettings) {
    this.calls.push({ method: 'createSchedule', arguments: [who, name, settings] });
    const existed = this.#schedules.has(name);
    const now = { at: Date.parse(NOW), index: 7 };
    if (!existed) this.#schedules.set(name, createSchedule(name, settings, who.principal, now));
    return { schedule: await this.schedule(name), existed };
  }

  async schedule(name: string): Promise<ScheduleView> {
    const found = this.#schedules.get(name);
    if (found === undefined) throw new Rejection('unknownSchedule', 'there is no such schedule');
    return toScheduleView(found, [Date.parse(NOW)], 0);
  }

  async schedules(query: ScheduleQuery, consistency: string) {
    this.calls.push({ method: 'schedules', arguments: [query, consistency] });
    const items = await Promise.all([...this.#schedules.keys()].map((name) => this.schedule(name)));
    return { items, nextCursor: null };
  }

  async setSchedule(who: Identity, name: string, change: Partial<ScheduleSettings>): Promise<ScheduleView> {
    this.calls.push({ method: 'setSchedule', arguments: [who, name, change] });
    const found = this.#schedules.get(name);
    if (found === undefined) throw new Rejection('unknownSchedule', 'there is no such schedule');
    this.#schedules.set(name, changeSchedule(found, change, who.principal, { at: Date.parse(NOW), index: 8 }));
    return this.schedule(name);
  }

  async deleteSchedule(who: Identity, name: string): Promise<void> {
    this.calls.push({ method: 'deleteSchedule', arguments: [who, name] });
    if (!this.#schedules.delete(name)) throw new Rejection('unknownSchedule', 'there is no such schedule');
  }

  async triggerSchedule(who: Identity, name: string, idempotency: Idempotency | null): Promise<FiringView> {
    this.calls.push({ method: 'triggerSchedule', arguments: [who, name, idempotency] });
    await this.schedule(name);
    return toFiringView({ due: null, at: Date.parse(NOW), outcome: 'fired', job: this.#nextId() });
  }

  readonly #group = toGroupView(
    createGroup(
      GROUP,
      { name: 'all', project: 'default', labels: {}, maxRunning: null, onFailure: 'continue' },
      'local',
      { at: Date.parse(NOW), index: 42 },
    ),
  );

  async logs(id: JobId, query: LogQuery, signal: AbortSignal): Promise<AsyncIterable<LogEvent>> {
    this.calls.push({ method: 'logs', arguments: [id, query, signal] });
    await this.job(id, 'stale');
    return this.logEvents(query, signal);
  }

  async runners(): Promise<readonly RunnerView[]> {
    return [runnerView('runner-1')];
  }

  async drainRunner(who: Identity, id: string, mode: 'drain' | 'undrain'): Promise<RunnerView> {
    this.calls.push({ method: 'drainRunner', arguments: [who, id, mode] });
    if (id !== 'runner-1') throw new Rejection('unknownRunner', 'there is no such runner');
    return runnerView(id, mode === 'drain' ? 'draining' : 'ready');
  }

  async cluster(): Promise<ClusterView> {
    return clusterView();
  }

  async setMemberRole(who: Identity, id: string, role: string, mode: string): Promise<ClusterView> {
    this.calls.push({ method: 'setMemberRole', arguments: [who, id, role, mode] });
    return clusterView();
  }

  async removeMember(who: Identity, id: string, mode: string): Promise<ClusterView> {
    this.calls.push({ method: 'removeMember', arguments: [who, id, mode] });
    return clusterView();
  }

  async setVoterPolicy(who: Identity, change: VoterPolicyChange): Promise<ClusterView> {
    this.calls.push({ method: 'setVoterPolicy', arguments: [who, change] });
    return clusterView();
  }

  async transferLeadership(who: Identity, to: string): Promise<ClusterView> {
    this.calls.push({ method: 'transferLeadership', arguments: [who, to] });
    return clusterView();
  }

  async backup(): Promise<AsyncIterable<Uint8Array>> {
    async function* pieces(): AsyncGenerator<Uint8Array, void> {
      yield Buffer.from('a backup');
    }
    return pieces();
  }

  async tokens(): Promise<readonly TokenView[]> {
    return [{ id: 'token-1', name: 'one', scopes: ['jobs:read'], expiresAt: null }];
  }

  async createToken(who: Identity, request: { name: string; scopes: readonly Scope[]; ttlMs: number | null }) {
    this.calls.push({ method: 'createToken', arguments: [who, request] });
    return { id: 'token-2', name: request.name, scopes: request.scopes, expiresAt: null, token: 'secret-text' };
  }

  async createJoinToken(who: Identity, request: { uses: number; ttlMs: number }) {
    this.calls.push({ method: 'createJoinToken', arguments: [who, request] });
    return { token: 'join-text', uses: request.uses, expiresAt: NOW };
  }

  async revokeToken(who: Identity, id: string): Promise<void> {
    this.calls.push({ method: 'revokeToken', arguments: [who, id] });
  }

  readiness(): Readiness {
    return this.ready;
  }

  appliedIndex(): number {
    return 42;
  }

  called(method: keyof Core): readonly (readonly unknown[])[] {
    return this.calls.filter((call) => call.method === method).map((call) => call.arguments);
  }
}

export function identity(id: string, scopes: readonly Scope[]): Identity {
  return { principal: { id, token: null, kind: 'local' }, scopes };
}

export function jobView(id: string, spec: JobView['spec'], state: JobState): JobView {
  return {
    id,
    state,
    spec,
    project: 'default',
    queue: 'default',
    submittedBy: 'local',
    submittedAt: NOW,
    finalAt: ['waiting', 'queued', 'assigned', 'running'].includes(state) ? null : NOW,
    exitCode: null,
    signal: null,
    reason: null,
    attempts: [],
    parent: null,
    group: null,
    schedule: null,
    waitsFor: null,
    index: 42,
  };
}

function runnerView(id: string, state: RunnerView['state'] = 'ready'): RunnerView {
  const amounts = { cpu: 2, memory: 1, gpu: 0, disk: 1, custom: {} };
  return { id, incarnation: 'a', total: amounts, free: amounts, labels: {}, state, running: [], load: null };
}

function clusterView(): ClusterView {
  const place = { commitIndex: 42, appliedIndex: 42, lag: 0, lastSeen: NOW };
  const member = { addresses: [], http: null, health: 'alive', version: '0.1.0', wish: null, ...place } as const;
  return {
    clusterId: 'cluster-1',
    node: 'node-1',
    leader: 'node-1',
    term: 3,
    commitIndex: 42,
    appliedIndex: 42,
    members: [{ id: 'node-1', role: 'voter', ...member }],
    faultTolerance: 0,
    warnings: [{ code: 'quorumAtRisk', detail: 'one more', member: null }],
    settings: { voters: 3, replaceDeadAfter: 'automatic' },
  };
}
