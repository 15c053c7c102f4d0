import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SCOPES, SYSTEM } from '../../../src/auth.ts';
import type { Incarnation, JobId, NodeId, TokenId } from '../../../src/ids.ts';
import { FINAL_STATES, type FinalJob, isFinal, type Job, type JobState, type LiveJob } from '../../../src/jobs/job.ts';
import { attemptOf } from '../../../src/jobs/lifecycle.ts';
import { apply, type ChangeEvent } from '../../../src/state/apply.ts';
import { decodeEntry, decodeRecord, encodeEntry, encodeRecord } from '../../../src/state/codec.ts';
import type { QueueChange } from '../../../src/jobs/queue-settings.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import type { Command, Proposal } from '../../../src/state/commands.ts';
import { jobTotals } from '../../../src/state/queries.ts';
import type { StateRecord } from '../../../src/state/records.ts';
import { OVERLAPS, type Schedule } from '../../../src/schedules/schedule.ts';
import { ClusterState, isLive } from '../../../src/state/state.ts';
import { followOn } from '../../../src/scheduling/follow-on.ts';
import { scheduleWithPreemption } from '../../../src/scheduling/place.ts';
import {
  amounts,
  bearer,
  cancel,
  createGroup,
  createSchedule,
  createToken,
  ended,
  ending,
  fireSchedule,
  groupId,
  jobId,
  LOCAL,
  picture,
  planSchedule,
  register,
  setQueue,
  started,
  submit,
  TestReplica,
} from '../builders.ts';

/**
 * Random histories of a cluster: what clients, runners and leaders propose, in any order, repeated and late. Numbers are
 * drawn first and mean something only against the state of the moment, so that most of what is proposed is near to what
 * a real node proposes.
 */
const STEPS = [
  'submit',
  'submit',
  'place',
  'crowd',
  'crowd',
  'crowd',
  'schedule',
  'schedule',
  'schedule',
  'ahead',
  'ahead',
  'handBack',
  'start',
  'start',
  'end',
  'end',
  'lateEnd',
  'cancel',
  'revive',
  'purge',
  'group',
  'queue',
  'cron',
  'cron',
  'fire',
  'fire',
  'fire',
  'register',
  'register',
  'lose',
  'drain',
  'forget',
  'wish',
  'clock',
  'token',
  'repeat',
  'garbage',
  'reload',
] as const;

interface Step {
  readonly kind: (typeof STEPS)[number];
  readonly n: number;
  readonly m: number;
  readonly ms: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...STEPS),
  n: fc.nat({ max: 1_000_000 }),
  m: fc.nat({ max: 1_000_000 }),
  ms: fc.nat({ max: 5_000 }),
});

const CLIENTS: ReadonlySet<string> = new Set<Step['kind']>([
  'submit',
  'place',
  'crowd',
  'cancel',
  'revive',
  'group',
  'queue',
  'cron',
  'drain',
  'wish',
  'token',
]);

const SPECS = [
  {},
  { resources: { cpu: 3, custom: { license: 1 } } },
  { priority: 90, constraints: ['zone == a'] },
  { retry: 'never' as const, queue: 'a' },
  { queue: 'a', project: 'p' },
  { queue: 'b', resources: { cpu: 0 } },
  { resources: { cpu: 5 }, infeasible: 'refuse' as const },
  { retry: { max: 2, backoff: { initial: '1s' }, lostMax: 1 }, queueTimeout: '3s' },
];
const CANCELLED = ending({ outcome: 'cancelled', exitCode: null });
const OUTCOMES = [
  ending(),
  ending({ outcome: 'failed', exitCode: 1 }),
  ending({ outcome: 'timedOut', exitCode: null, signal: 'SIGKILL' }),
  CANCELLED,
  ending({ outcome: 'lost', exitCode: null }),
];

const pick = <Value>(values: readonly Value[], n: number): Value | undefined => values[n % values.length];

class History {
  readonly replica = TestReplica.founded();
  /** Applies the same entries, and never reloads. */
  readonly twin = new ClusterState();
  readonly #proposals: Proposal[] = [];
  readonly #ended: Command[] = [];
  readonly #read: { readonly job: JobId; readonly index: number }[] = [];
  readonly #counted = new Map<string, string>();
  readonly #firings: Command[] = [];
  /** Each time of a schedule for which a job was made. */
  readonly #fired = new Set<string>();
  readonly #endings = new Map<JobState, number>();
  readonly #attempts = new Map<JobId, number>();
  #submitted = 0;
  #sequence = 1_000_000;

  constructor() {
    const proposal = { principal: SYSTEM, origin: 'test', sequence: 1, commands: [founding()] };
    apply(this.twin, { at: this.replica.at, proposals: [proposal] }, 1);
    this.replica.index = 1;
    const commands = ['default', 'a'].map((name) => setQueue(name, { preemption: 'requeue' }));
    this.#apply([{ principal: LOCAL, origin: 'test', sequence: 999_999, commands }]);
  }

  take(next: Step): void {
    this.replica.at += next.ms;
    if (next.kind === 'reload') this.replica.reload(throughBytes);
    else if (next.kind === 'repeat')
      this.#apply([pick(this.#proposals, next.n)].filter((proposal) => proposal !== undefined));
    else this.#propose(next);
  }

  #propose(next: Step): void {
    const commands = this.#commands(next);
    const principal = CLIENTS.has(next.kind) ? LOCAL : SYSTEM;
    this.#sequence += 1 + (next.m % 3);
    this.#apply([{ principal, origin: `node-${next.m % 3}`, sequence: this.#sequence, commands }]);
  }

  #apply(proposals: readonly Proposal[]): void {
    for (const proposal of proposals) if (!this.#proposals.includes(proposal)) this.#proposals.push(proposal);
    const entry = decodeEntry(encodeEntry({ at: this.replica.at, proposals }));
    const results = this.replica.apply(entry.proposals);
    const twin = apply(this.twin, entry, this.replica.index);
    expect(twin.results.map((answer) => answer.results)).toEqual(results);
    expect(twin.events).toEqual(this.replica.last.events);
    expect(sorted(twin.changes)).toEqual(sorted(this.replica.last.changes));
    expect(picture(this.twin)).toEqual(picture(this.replica.state));
    this.#checkTotals(this.replica.last.events);
    for (const event of this.replica.last.events) {
      if (event.kind === 'job') this.#checkJob(event.job);
      if (event.kind === 'job' && event.before === null) this.#checkFiring(event.job);
      if (event.kind === 'purged') this.#checkPurged(event.id);
    }
  }

  /** The totals are what the events tell, whatever was reloaded and purged meanwhile. */
  #checkTotals(events: readonly ChangeEvent[]): void {
    for (const event of events) {
      if (event.kind !== 'job') continue;
      const { job } = event;
      if (isFinal(job)) this.#endings.set(job.state, (this.#endings.get(job.state) ?? 0) + 1);
      // One that is behind another may yet be handed back: it counts once it has room or has ended.
      const hasRoom = isLive(job) && job.current.behind === undefined;
      this.#attempts.set(job.id, job.past.length + (hasRoom ? 1 : 0));
    }
    const { started: attempts, ended: endings } = jobTotals(this.replica.state);
    expect(attempts).toBe([...this.#attempts.values()].reduce((sum, count) => sum + count, 0));
    expect(endings).toEqual(Object.fromEntries(FINAL_STATES.map((state) => [state, this.#endings.get(state) ?? 0])));
  }

  /** No time of a schedule has two jobs, and none comes before its time. */
  #checkFiring({ schedule }: Job): void {
    if (schedule === undefined || schedule.due === null) return;
    const time = `${schedule.name} ${schedule.due}`;
    expect(this.#fired.has(time)).toBe(false);
    expect(schedule.due).toBeLessThanOrEqual(this.replica.at);
    this.#fired.add(time);
  }

  /** Only what was final goes, and only as the leader read it. */
  #checkPurged(id: JobId): void {
    expect(this.replica.state.jobs.has(id)).toBe(false);
    expect(this.replica.disk.get(`job ${id}`)?.value).toBeNull();
  }

  /** What counted once never changes, and no job has more attempts than its policy and its clients allow. */
  #checkJob(job: Job): void {
    for (const attempt of job.past) {
      const key = `${job.id}/${attempt.attempt}`;
      const told = JSON.stringify(attempt);
      expect(this.#counted.get(key) ?? told).toBe(told);
      this.#counted.set(key, told);
    }
    const { retry } = job.plan;
    const extra = job.revivals ?? 0;
    const lost = job.past.filter(({ outcome }) => outcome === 'lost').length;
    const failed = job.past.filter(({ outcome }) => outcome === 'failed' || outcome === 'timedOut').length;
    expect(lost).toBeLessThanOrEqual(retry.lostMax + 1 + extra);
    expect(failed).toBeLessThanOrEqual(retry.max + 1 + extra);
    const succeeded = job.past.filter(({ outcome }) => outcome === 'succeeded').length;
    if (extra === 0) expect(succeeded).toBeLessThanOrEqual(1);
  }

  #commands({ kind, n, m }: Step): Command[] {
    const { state } = this.replica;
    const live = [...state.jobs.values()].filter(
      (job): job is LiveJob => job.state === 'assigned' || job.state === 'running',
    );
    const stopping = live.filter(({ preempt }) => preempt !== undefined);
    const job = pick(stopping.length > 0 && m % 2 === 0 ? stopping : live, n);
    // A removed one never comes back: the three that act move on with each.
    const runner = `runner-${(n % 3) + state.removed.size}` as NodeId;
    const incarnation = state.runners.get(runner)?.incarnation ?? ('none' as Incarnation);
    switch (kind) {
      case 'submit':
        return [this.#submit(n, null)];
      case 'place':
        return [this.#submit(n, { runner, incarnation }), this.#submit(m, { runner, incarnation })];
      case 'crowd':
        return [10, 10, 10, 10, 10, 10, 95].map((priority) => this.#submit(0, null, { priority, retry: { max: 1 } }));
      case 'schedule':
        return scheduleWithPreemption(state, { limit: 1 + (n % 5), random: () => (m % 97) / 97 });
      case 'ahead':
        return this.#ahead(job, m);
      case 'handBack':
        return job === undefined ? [] : [{ kind: 'handBack', job: job.id, index: job.index - (m % 5 === 0 ? 1 : 0) }];
      case 'start':
        return job === undefined ? [] : [started(numberOf(job), attemptOf(job), job.current.incarnation)];
      case 'end':
      case 'lateEnd':
        return this.#end(kind, n, m, job);
      case 'cancel':
        return [cancel(1 + this.#submitted - (n % Math.min(this.#submitted + 1, 8)), m % 4 === 0 ? 'queued' : 'any')];
      case 'revive':
        return this.#revive(n);
      case 'purge':
        return this.#purge(n, m);
      case 'group':
        return this.#group(n, m);
      case 'queue':
        return [queueChange(n, m)];
      case 'cron':
        return [this.#cron(n, m)];
      case 'fire':
        return this.#fire(n, m);
      case 'register':
        return [register(runner, `i${m % 4}` as Incarnation, totalOf(m), { zone: m % 2 === 0 ? 'a' : 'b' })];
      case 'lose':
        return [{ kind: 'loseRunner', runner, incarnation: m % 5 === 0 ? ('none' as Incarnation) : incarnation }];
      case 'drain':
        return [{ kind: 'drainRunner', runner, mode: m % 2 === 0 ? 'drain' : 'undrain' }];
      case 'forget':
        if (m % 32 === 8) return [{ kind: 'refoundCluster', clusterId: `c${n % 2}`, keep: runner }];
        if (m % 32 === 16)
          return [
            { kind: 'forgetNode', node: runner },
            { kind: 'refoundCluster', clusterId: 'c', keep: runner },
          ];
        return m % 4 === 0 ? [{ kind: 'forgetNode', node: runner }] : [announce(runner)];
      case 'wish':
        return [wish(runner, n, m)];
      case 'clock':
        return [{ kind: 'clock' }];
      case 'token':
        return n % 3 === 0
          ? [{ kind: 'revokeToken', id: `t${m % 3}` as TokenId }]
          : [createToken(`t${m % 3}`, [SCOPES[n % SCOPES.length]!], m % 2 === 0 ? null : this.replica.at + m)];
      case 'garbage':
        return garbage(n, m);
      default:
        return [];
    }
  }

  /** Ids are made for one proposal and used in no other. */
  #submit(n: number, placement: { runner: NodeId; incarnation: Incarnation } | null, spec = this.#spec(n)): Command {
    this.#submitted += 1;
    const idempotency = n % 5 === 1 ? { key: `k${n % 4}`, bodyHash: `h${n % 2}` } : null;
    return submit(this.#submitted, { spec, placement, idempotency });
  }

  #spec(n: number): Partial<JobSpec> {
    const near = jobId(1 + (n % Math.max(this.#submitted - 1, 1)));
    const ties: readonly Partial<JobSpec>[] = [
      {},
      {},
      { dependsOn: [{ job: near, on: pick(['succeeded', 'failed', 'finished'] as const, n) ?? 'finished' }] },
      { parent: near, detach: n % 4 === 0 },
      { group: groupId(n % 3), ...(n % 2 === 0 ? { resourceGroup: 'one' } : {}) },
      { resourceGroup: 'one', priority: n % 100 },
      { priority: n % 100 },
    ];
    return { ...pick(SPECS, n), ...pick(ties, n >> 3) };
  }

  #group(n: number, m: number): Command[] {
    const id = groupId(n % 3);
    if (m % 6 === 0) return [{ kind: 'closeGroup', id }];
    if (m % 6 === 1) return [{ kind: 'cancelGroup', id }];
    return [
      createGroup(n % 3, {
        maxRunning: m % 2 === 0 ? 1 + (m % 3) : null,
        onFailure: m % 3 === 0 ? 'cancel' : 'continue',
      }),
    ];
  }

  #cron(n: number, m: number): Command {
    const name = `s${n % 3}`;
    const overlap = pick(OVERLAPS, m)!;
    const ofSchedules = [...SPECS, { group: groupId(n % 3) }, { group: groupId(n % 3) }];
    const change = { overlap, mode: m % 7 === 0 ? 'paused' : 'active', catchUpMs: 1 + (m % 5) * 200_000 } as const;
    switch ((n >> 3) % 4) {
      case 0:
        return m % 3 === 0 ? { kind: 'deleteSchedule', name } : { kind: 'setSchedule', name, change };
      case 1:
        this.#submitted += 1;
        return { kind: 'triggerSchedule', name, job: jobId(this.#submitted) };
      default:
        return createSchedule(name, { ...change, spec: { command: ['true'], ...pick(ofSchedules, m) } });
    }
  }

  /** As a leader does, and now and then as one that is late or whose clock goes before. */
  #fire(n: number, m: number): Command[] {
    const stale = pick(this.#firings, m);
    if (n % 5 === 0 && stale !== undefined) return [stale];
    return [...this.replica.state.schedules.values()].flatMap((schedule, i) => this.#fireOne(schedule, m + i));
  }

  #fireOne(schedule: Schedule, m: number): Command[] {
    const { timing } = schedule;
    if (timing.state === 'unplanned') {
      return [planSchedule(schedule, m % 9 === 0 ? null : timing.after + 1 + (m % 20_000))];
    }
    if (timing.state !== 'planned') return [];
    const count = m % 3 === 0 ? m % 4 : 0;
    const latest = timing.at + count * 100;
    const next = m % 19 === 0 ? null : latest + 1 + (m % 3_000);
    this.#submitted += 1;
    const command = fireSchedule(schedule, this.#submitted, { latest, next, missed: { count, of: 'exact' } });
    this.#firings.push(command);
    return m % 4 === 0 ? [command, command] : [command];
  }

  #end(kind: 'end' | 'lateEnd', n: number, m: number, job: LiveJob | undefined): Command[] {
    const late = pick(this.#ended, n);
    if (kind === 'lateEnd' && late !== undefined) return [late];
    if (job === undefined) return [];
    const attempt = attemptOf(job) - (m % 7 === 0 ? 1 : 0);
    if (attempt === 0) return [];
    const incarnation = m % 6 === 0 ? ('other' as Incarnation) : job.current.incarnation;
    const outcome = job.preempt !== undefined && m % 2 === 0 ? CANCELLED : pick(OUTCOMES, m);
    const command = ended(numberOf(job), attempt, outcome, incarnation, this.replica.at);
    this.#ended.push(command);
    return [command];
  }

  /** As the runner that is about to tell the end of this job, and as one that is wrong about who waits for whom. */
  #ahead(job: LiveJob | undefined, m: number): Command[] {
    const { state } = this.replica;
    if (job === undefined) return [];
    const { runner, incarnation } = job.current;
    const random = () => (m % 97) / 97;
    if (m % 3 !== 0) return [...followOn(state, runner, m % 2 === 0 ? [job.id] : [], { random, ahead: 'some' })];
    const queued = pick([...state.queue.all()], m);
    if (queued === undefined) return [];
    const placement = { runner, incarnation };
    return [{ kind: 'assign', job: queued.id, attempt: attemptOf(queued), placement, behind: job.id }];
  }

  #finals(): FinalJob[] {
    const records = [...this.replica.disk.values()].map(({ value }) => value);
    return records.filter((value): value is FinalJob => value !== null && 'finalAt' in value);
  }

  #revive(n: number): Command[] {
    const record = pick(this.#finals(), n);
    return record === undefined ? [] : [{ kind: 'retry', job: record.id, record }];
  }

  /** Some as they now are, and some as an earlier leader read them. */
  #purge(n: number, m: number): Command[] {
    const record = pick(this.#finals(), n);
    if (record !== undefined) this.#read.push({ job: record.id, index: record.index });
    const jobs = [this.#read.at(-1), m % 3 === 0 ? pick(this.#read, m) : undefined];
    return [{ kind: 'purge', jobs: jobs.filter((job) => job !== undefined) }];
  }
}

function founding(): Command {
  return { kind: 'createCluster', clusterId: 'cluster', auth: 'loopbackOpen' };
}

function wish(node: NodeId, n: number, m: number): Command {
  if (m % 5 === 0)
    return { kind: 'setVoterPolicy', voters: pick([1, 3, 5, 7, null], n)!, replaceDead: n % 2 === 0 ? n : null };
  return { kind: 'wishMember', node, wish: pick(['voter', 'learner', 'leave', 'none'] as const, n)! };
}

function queueChange(n: number, m: number): Command {
  const name = pick(['default', 'a', 'b'], n)!;
  if (m % 5 === 0) return { kind: 'resetQueue', name };
  const changes: readonly QueueChange[] = [
    { weight: 1 + (m % 3) },
    { state: m % 2 === 0 ? 'open' : 'paused' },
    { preemption: m % 4 === 0 ? 'off' : 'requeue' },
    { strategy: m % 2 === 0 ? 'pack' : 'spread', limits: { running: m % 3 } },
    { limits: { running: null, cpuMilli: 1000 * (m % 4) }, projectLimits: { running: 1 } },
    { projectLimits: { running: null, memoryBytes: m } },
  ];
  return setQueue(name, pick(changes, n >> 2)!);
}

function announce(node: NodeId): Command {
  return { kind: 'announceNode', node, addresses: ['/ip4/127.0.0.1/tcp/1'], http: null, version: '1' };
}

function totalOf(m: number) {
  return amounts({ cpuMilli: 1000 * (m % 6), custom: m % 2 === 0 ? { license: 2000 } : {} });
}

function numberOf(job: Job): number {
  return Number(job.id.slice(-12));
}

function garbage(n: number, m: number): Command[] {
  const values: readonly unknown[] = [
    null,
    7,
    [],
    {},
    { kind: 'toString' },
    { kind: 'submit' },
    { kind: 'ended', job: 1 },
  ];
  return [pick(values, n), pick(values, m), { kind: 'clock' }] as Command[];
}

function throughBytes(record: StateRecord): StateRecord {
  if (record.value === null) return record;
  const value = decodeRecord(record.table, encodeRecord(record.table, record.value as never));
  return { ...record, value } as StateRecord;
}

function sorted(changes: readonly StateRecord[]): readonly StateRecord[] {
  const keys = changes.map(({ table, key }) => `${table} ${key}`);
  expect(new Set(keys).size).toBe(keys.length);
  return changes.toSorted((a, b) => (`${a.table} ${a.key}` < `${b.table} ${b.key}` ? -1 : 1));
}

const history = fc.array(step, { minLength: 20, maxLength: 150, size: 'max' });

/** @returns the changes of state that jobs went through, and how their attempts ended */
function play(steps: readonly Step[]): Set<string> {
  const played = new History();
  const changes = new Set<string>();
  for (const next of steps) {
    played.take(next);
    for (const event of played.replica.last.events) {
      if (event.kind === 'job') {
        changes.add(`${event.before} → ${event.job.state}`);
        if (event.before !== event.job.state) changes.add(`ended as ${event.job.past.at(-1)?.outcome}`);
      }
      const firing = event.kind === 'schedule' ? event.schedule?.firings.at(-1) : undefined;
      if (firing !== undefined) changes.add(`firing ${firing.outcome}`);
      if (event.kind !== 'job') continue;
      changes.add(`${event.before} → ${event.job.state}`);
      const { job } = event;
      if ((job.state === 'assigned' || job.state === 'running') && job.current.behind !== undefined) {
        changes.add(`${event.before} → ${job.state} behind another`);
      }
    }
  }
  return changes;
}

describe('any history', () => {
  it('keeps two replicas equal, one of them reloaded now and then, and every invariant', { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(history, (steps) => void play(steps)),
      { numRuns: 100 },
    );
  });

  it('goes everywhere: these are no histories in which nothing happens', { timeout: 300_000 }, () => {
    const changes = new Set(fc.sample(history, { seed: 2, numRuns: 150 }).flatMap((steps) => [...play(steps)]));
    for (const state of FINAL_STATES) expect([...changes].some((change) => change.endsWith(state))).toBe(true);
    for (const change of [
      'queued → assigned',
      'running → queued',
      'running → waiting',
      'queued → assigned behind another',
      'assigned → assigned behind another',
      'assigned → running behind another',
      'assigned → assigned',
      'assigned → queued',
      'failed → queued',
      'waiting → cancelled',
      'firing fired',
      'firing skipped',
      'firing buffered',
      'firing missed',
      'firing refused',
      'ended as preempted',
    ]) {
      expect(changes).toContain(change);
    }
  });

  it('is never stopped by what a proposal holds', () => {
    const replica = TestReplica.withRunner();
    const kind = fc.constantFrom(
      'submit',
      'assign',
      'handBack',
      'preempt',
      'started',
      'ended',
      'retry',
      'registerRunner',
      'createToken',
      'useJoinToken',
      'wishMember',
      'setVoterPolicy',
      'forgetNode',
      'refoundCluster',
      'createGroup',
      'closeGroup',
      'cancelGroup',
      'createSchedule',
      'setSchedule',
      'triggerSchedule',
      'planSchedule',
      'fireSchedule',
    );
    const anything = fc.anything({ withNullPrototype: true, maxDepth: 3 });
    const fields = fc.dictionary(
      fc.constantFrom(
        'id',
        'job',
        'spec',
        'attempt',
        'victims',
        'placement',
        'record',
        'total',
        'labels',
        'end',
        'scopes',
        'idempotency',
        'node',
        'wish',
        'voters',
        'replaceDead',
        'clusterId',
        'keep',
        'name',
        'settings',
        'change',
        'due',
        'latest',
        'next',
        'missed',
        'revision',
        'behind',
        'index',
      ),
      fc.oneof(anything, fc.constantFrom(jobId(1), groupId(1), 'leave', 3), fc.constant({ command: ['x'] })),
    );
    const command = fc.oneof(
      anything,
      fc.tuple(kind, fields).map(([name, rest]) => ({ ...rest, kind: name })),
    );
    const principal = fc.constantFrom(SYSTEM, LOCAL, bearer('t'));
    fc.assert(
      fc.property(principal, fc.array(command, { maxLength: 4 }), (by, commands) => {
        const results = replica.propose(by, commands as Command[]);
        expect(results).toHaveLength(commands.length);
      }),
      { numRuns: 2000 },
    );
  });
});
