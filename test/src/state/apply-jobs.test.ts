import { beforeEach, describe, expect, it } from 'vitest';
import type { WaitingJob } from '../../../src/jobs/job.ts';
import { LIMITS } from '../../../src/limits.ts';
import { nextDue } from '../../../src/state/queries.ts';
import {
  amounts,
  assign,
  bearer,
  cancel,
  createToken,
  ended,
  ending,
  FAILED,
  I1,
  I2,
  jobId,
  R1,
  R2,
  register,
  START,
  started,
  submit,
  TestReplica,
} from '../builders.ts';

const placement = { runner: R1, incarnation: I1 };
const OK = { ok: true };
const refused = (code: string) => expect.objectContaining({ ok: false, code });

const RING: Record<string, unknown> = {};
RING['ring'] = RING;

let replica: TestReplica;
beforeEach(() => {
  replica = TestReplica.withRunner();
});

describe('submit', () => {
  it('queues a job without a placement and tells its id', () => {
    expect(replica.local(submit(1))).toEqual([{ ok: true, job: jobId(1) }]);
    expect(replica.job(1)).toMatchObject({ state: 'queued', sequence: 1, submittedBy: 'local', submittedAt: START });
  });

  it('assigns at once where the placement fits', () => {
    replica.local(submit(1, { placement }));
    expect(replica.job(1)).toMatchObject({ state: 'assigned', current: { attempt: 1, runner: R1, incarnation: I1 } });
    expect(replica.last.events).toEqual([{ kind: 'job', job: replica.job(1), before: null }]);
  });

  it.each([
    ['another incarnation', { placement: { runner: R1, incarnation: I2 } }],
    ['an unknown runner', { placement: { runner: R2, incarnation: I1 } }],
    ['a runner with too little free', { placement, spec: { resources: { cpu: 5 } } }],
    ['a runner that does not meet a constraint', { placement, spec: { constraints: ['os == plan9'] } }],
  ])('queues a job that was placed on %s', (_, options) => {
    expect(replica.local(submit(1, options))).toEqual([{ ok: true, job: jobId(1) }]);
    expect(replica.job(1).state).toBe('queued');
  });

  it('queues a job that was placed past one that waits with its priority or a higher one', () => {
    replica.local(submit(1), submit(2, { placement }), submit(3, { placement, spec: { priority: 51 } }));
    expect(replica.job(2).state).toBe('queued');
    expect(replica.job(3).state).toBe('assigned');
  });

  it('never gives out more than a runner has, whoever placed', () => {
    replica.local(...[1, 2, 3, 4, 5].map((n) => submit(n, { placement })));
    expect([1, 2, 3, 4, 5].map((n) => replica.job(n).state)).toEqual([
      'assigned',
      'assigned',
      'assigned',
      'assigned',
      'queued',
    ]);
  });

  it('answers a live id as existing, to its submitter only', () => {
    replica.local(submit(1));
    expect(replica.local(submit(1))).toEqual([{ ok: true, job: jobId(1), existed: true }]);
    expect(replica.state.jobs.size).toBe(1);
    replica.local(createToken('other', ['jobs:write']));
    expect(replica.propose(bearer('other'), [submit(1)])).toEqual([refused('conflict')]);
  });

  it('refuses a spec that cannot be planned, and takes its neighbours', () => {
    const bad = { timeout: 'soon', priority: 1e9 } as never;
    expect(replica.local(submit(1, { spec: bad }), submit(2), submit(3, { spec: { priority: -1 } }))).toEqual([
      refused('invalidRequest'),
      { ok: true, job: jobId(2) },
      refused('invalidRequest'),
    ]);
  });

  it.each([
    ['a whole number of any size', 2n ** 80n],
    ['a date', new Date(START)],
    ['a ring', RING],
    ['no number', NaN],
  ])('refuses a spec that holds %s, which JSON does not', (_, value) => {
    const spec = { env: { A: value } } as never;
    expect(replica.local(submit(1, { spec }), submit(2))).toEqual([
      refused('invalidRequest'),
      expect.objectContaining(OK),
    ]);
  });

  it('waits until notBefore, and queues then', () => {
    replica.local(submit(1, { spec: { notBefore: new Date(START + 60_000).toISOString() }, placement }));
    expect(replica.job(1)).toMatchObject({ state: 'waiting', why: 'notBefore', until: START + 60_000 });
    expect(nextDue(replica.state)).toBe(START + 60_000);
    replica.pass(59_999);
    expect(replica.job(1).state).toBe('waiting');
    replica.pass(1);
    expect(replica.job(1)).toMatchObject({ state: 'queued', queuedAt: START + 60_000 });
  });
});

describe('submit with an idempotency key', () => {
  const keyed = (n: number, bodyHash = 'hash') => submit(n, { idempotency: { key: 'k', bodyHash } });

  it('answers the same request with the job there is, final or not', () => {
    replica.local(keyed(1));
    expect(replica.local(keyed(2))).toEqual([{ ok: true, job: jobId(1), existed: true }]);
    replica.local(cancel(1));
    expect(replica.local(keyed(3))).toEqual([{ ok: true, job: jobId(1), existed: true }]);
    expect(replica.state.jobs.size).toBe(0);
  });

  it('refuses another request under the key', () => {
    replica.local(keyed(1));
    expect(replica.local(keyed(2, 'other'))).toEqual([refused('idempotencyConflict')]);
  });

  it('forgets the key in time', () => {
    replica.local(keyed(1));
    replica.pass(LIMITS.idempotencyTtlMs);
    expect(replica.local(keyed(2, 'other'))).toEqual([{ ok: true, job: jobId(2) }]);
    expect(replica.state.idempotency.size).toBe(1);
  });

  it('does not keep the key of a job that was not taken', () => {
    const bad = submit(1, { spec: { timeout: '?' }, idempotency: { key: 'k', bodyHash: 'hash' } });
    expect(replica.local(bad)).toEqual([refused('invalidRequest')]);
    expect(replica.local(keyed(2, 'other'))).toEqual([{ ok: true, job: jobId(2) }]);
  });
});

describe('assign', () => {
  beforeEach(() => void replica.local(submit(1)));

  it('takes a queued job out of the queue, and answers a repetition alike', () => {
    expect(replica.system(assign(1, 1))).toEqual([OK]);
    expect(replica.system(assign(1, 1))).toEqual([OK]);
    expect(replica.last.events).toEqual([]);
    expect(replica.state.queue.size).toBe(0);
  });

  it.each([
    ['another attempt', assign(1, 2), 'staleAttempt'],
    ['an unknown runner', assign(1, 1, R2), 'unknownRunner'],
    ['another incarnation', assign(1, 1, R1, I2), 'staleRunner'],
    ['a job that is not live', assign(9, 1), 'alreadyFinal'],
  ])('refuses %s', (_, command, code) => {
    expect(replica.system(command)).toEqual([refused(code)]);
    expect(replica.job(1).state).toBe('queued');
  });

  it('refuses a job that runs elsewhere', () => {
    replica.system(register(R2, I2), assign(1, 1));
    expect(replica.system(assign(1, 1, R2, I2))).toEqual([refused('wrongState')]);
  });

  it('refuses a runner without room', () => {
    replica.local(submit(2, { spec: { resources: { cpu: 4 } } }));
    replica.system(assign(1, 1));
    expect(replica.system(assign(2, 1))).toEqual([refused('conflict')]);
  });
});

describe('started and ended', () => {
  beforeEach(
    () => void replica.local(submit(1, { placement, spec: { retry: { max: 1, backoff: { initial: '5s' } } } })),
  );

  it('lead through running to the outcome, and free what was taken', () => {
    replica.system(started(1, 1));
    expect(replica.job(1)).toMatchObject({ state: 'running', current: { startedAt: START } });
    expect(replica.system(ended(1, 1))).toEqual([OK]);
    expect(replica.job(1)).toMatchObject({
      state: 'succeeded',
      past: [{ attempt: 1, outcome: 'succeeded', exitCode: 0, startedAt: START + 1, endedAt: START + 5 }],
    });
    expect(replica.state.jobs.size).toBe(0);
    expect(replica.state.allocations.get(R1)?.free).toEqual(amounts());
  });

  it('take an end without a start, as that of a short job', () => {
    replica.system(ended(1, 1));
    expect(replica.job(1).state).toBe('succeeded');
  });

  it('refuse what another incarnation or an older attempt tells', () => {
    expect(replica.system(started(1, 1, I2), ended(1, 1, ending(), I2), ended(1, 2))).toEqual([
      refused('staleAttempt'),
      refused('staleAttempt'),
      refused('staleAttempt'),
    ]);
    expect(replica.job(1).state).toBe('assigned');
  });

  it('retry what failed, after a pause, as a new attempt', () => {
    replica.system(ended(1, 1, FAILED));
    const waiting = replica.job(1) as WaitingJob & { readonly until: number };
    expect(waiting).toMatchObject({ state: 'waiting', why: 'backoff' });
    expect(waiting.until - START).toBeGreaterThanOrEqual(2_500);
    expect(waiting.until - START).toBeLessThanOrEqual(5_000);
    replica.pass(5_000);
    expect(replica.system(assign(1, 2))).toEqual([OK]);
    expect(replica.system(ended(1, 1, ending(), I1, START + 9))).toEqual([refused('staleAttempt')]);
    replica.system(ended(1, 2, FAILED));
    expect(replica.job(1)).toMatchObject({ state: 'failed', past: [{ attempt: 1 }, { attempt: 2 }] });
  });

  it('answer the repeated end of an attempt as the first one', () => {
    replica.system(ended(1, 1, FAILED));
    expect(replica.system(ended(1, 1, FAILED))).toEqual([OK]);
    expect(replica.last.events).toEqual([]);
  });

  it('refuse the end of a job that is final', () => {
    replica.system(ended(1, 1));
    expect(replica.system(ended(1, 1), started(1, 1))).toEqual([refused('alreadyFinal'), refused('alreadyFinal')]);
  });

  it('cut what a runner says at length instead of refusing the end', () => {
    replica.system(ended(1, 1, ending({ reason: 'x'.repeat(1e6) })));
    expect(replica.job(1).state).toBe('succeeded');
    expect(JSON.stringify(replica.job(1)).length).toBeLessThan(5000);
  });
});

describe('cancel', () => {
  it('ends what waits at once', () => {
    replica.local(submit(1), submit(2, { spec: { notBefore: new Date(START + 1000).toISOString() } }));
    expect(replica.local(cancel(1), cancel(2, 'queued'))).toEqual([OK, OK]);
    expect([replica.job(1).state, replica.job(2).state]).toEqual(['cancelled', 'cancelled']);
    expect(nextDue(replica.state)).toBe(null);
  });

  it('asks the runner to stop what runs; the job is then cancelled whatever its exit', () => {
    replica.local(submit(1, { placement }));
    expect(replica.local(cancel(1))).toEqual([OK]);
    expect(replica.job(1)).toMatchObject({ state: 'assigned', cancel: { at: START, by: 'local' } });
    expect(replica.local(cancel(1))).toEqual([OK]);
    replica.system(started(1, 1), ended(1, 1));
    expect(replica.job(1)).toMatchObject({ state: 'cancelled', past: [{ exitCode: 0 }] });
  });

  it('leaves what runs alone when only what waits was meant', () => {
    replica.local(submit(1, { placement }));
    expect(replica.local(cancel(1, 'queued'))).toEqual([refused('wrongState')]);
    expect(replica.job(1)).toMatchObject({ cancel: null });
  });

  it('is not followed by a retry, lost runner or not', () => {
    replica.local(submit(1, { placement }), cancel(1));
    replica.system({ kind: 'loseRunner', runner: R1, incarnation: I1 });
    expect(replica.job(1)).toMatchObject({ state: 'cancelled', past: [{ outcome: 'lost' }] });
  });

  it('tells that a final job is final', () => {
    expect(replica.local(cancel(7))).toEqual([refused('alreadyFinal')]);
  });
});

describe('queueTimeout', () => {
  it('ends a job that nobody took in time, and not one that was', () => {
    const spec = { queueTimeout: '10s' };
    replica.local(submit(1, { spec }), submit(2, { spec }));
    replica.system(assign(2, 1));
    replica.pass(10_000);
    expect([replica.job(1).state, replica.job(2).state]).toEqual(['expired', 'assigned']);
  });
});

describe('retry', () => {
  const retry = (n: number, record = replica.job(n)) => ({ kind: 'retry', job: jobId(n), record }) as never;

  it('refuses a record that says nonsense of how many jobs stand above', () => {
    replica.local(submit(1), cancel(1));
    const record = { ...replica.job(1), depth: 5n } as never;
    expect(replica.local(retry(1, record))).toEqual([refused('invalidRequest')]);
  });

  it('queues a failed job again with a new attempt, past its own policy', () => {
    replica.local(submit(1, { placement }));
    replica.system(ended(1, 1, FAILED));
    expect(replica.job(1).state).toBe('failed');
    expect(replica.local(retry(1))).toEqual([OK]);
    expect(replica.last.events).toMatchObject([{ kind: 'job', before: 'failed', job: { state: 'queued' } }]);
    expect(replica.system(assign(1, 2), ended(1, 2))).toEqual([OK, OK]);
    expect(replica.job(1)).toMatchObject({
      state: 'succeeded',
      past: [{ outcome: 'failed' }, { outcome: 'succeeded' }],
    });
  });

  it('is taken once when two nodes propose it at once', () => {
    replica.local(submit(1), cancel(1));
    const record = replica.job(1);
    expect(replica.local(retry(1, record))).toEqual([OK]);
    expect(replica.local(retry(1, record))).toEqual([refused('wrongState')]);
    replica.system(assign(1, 1), ended(1, 1));
    expect(replica.local(retry(1, record))).toEqual([refused('wrongState')]);
    replica.reload();
    expect(replica.local(retry(1, record))).toEqual([refused('wrongState')]);
  });

  it('can be asked for again with the newer record', () => {
    replica.local(submit(1), cancel(1));
    replica.local(retry(1), cancel(1));
    expect(replica.local(retry(1))).toEqual([OK]);
    expect(replica.job(1)).toMatchObject({ state: 'queued', revivals: 2 });
  });

  it('refuses a record that is not one of a final job', () => {
    replica.local(submit(1, { placement, spec: { retry: 'never' } }));
    replica.system(ended(1, 1, FAILED));
    const record = replica.job(1);
    const broken = [
      null,
      { ...record, past: undefined },
      { ...record, past: [{ ...record.past[0], attempt: 2 }] },
      { ...record, past: [{ ...record.past[0], outcome: 'x' }] },
      { ...record, state: 'queued' },
      { ...record, spec: null },
    ];
    for (const one of broken) expect(replica.local(retry(1, one as never))).toEqual([refused('invalidRequest')]);
    expect(replica.local(retry(1, record))).toEqual([OK]);
  });

  it('refuses a job that has succeeded, and the record of another job', () => {
    replica.local(submit(1, { placement }), submit(2), cancel(2));
    replica.system(ended(1, 1));
    expect(replica.local(retry(1), retry(1, replica.job(2)))).toEqual([
      refused('wrongState'),
      refused('invalidRequest'),
    ]);
  });
});

describe('time', () => {
  it('never goes back, whatever a leader says', () => {
    replica.at = START - 1000;
    replica.local(submit(1));
    expect(replica.job(1).submittedAt).toBe(START);
    expect(replica.state.cluster?.clock).toBe(START);
  });

  it('does a bounded amount of what is due in one entry', () => {
    const spec = { queueTimeout: '1s' };
    replica.local(...Array.from({ length: 1500 }, (_, n) => submit(n, { spec })));
    replica.pass(2_000);
    expect(replica.state.jobs.size).toBe(500);
    expect(nextDue(replica.state)).toBe(START + 1_000);
    replica.pass(0);
    expect(replica.state.jobs.size).toBe(0);
  });
});
