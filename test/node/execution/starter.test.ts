import { describe, expect, it } from 'vitest';
import type { Prepared } from '../../../node/execution/job-files.ts';
import { Starter } from '../../../node/execution/starter.ts';
import type { Assignment, RunnerEvent } from '../../../node/runner/ports.ts';
import type { Incarnation } from '../../../src/ids.ts';
import type { Job, LiveJob } from '../../../src/jobs/job.ts';
import { assign, FAILED, I1, submit, TestReplica } from '../../src/builders.ts';

const inputs = { rootDigest: `sha256:${'ab'.repeat(32)}` };
const READY: Prepared = { kind: 'ready', folder: '/staging/x' };

function setUp(spec: object = { inputs }) {
  const replica = TestReplica.withRunner();
  replica.local(submit(1, { spec }));
  replica.system(assign(1, 1));
  const job = replica.job(1) as LiveJob;
  const started: Assignment[] = [];
  const discarded: string[] = [];
  const failed: RunnerEvent[] = [];
  const prepared = Promise.withResolvers<Prepared>();
  let prepares = 0;
  const session = { incarnation: I1 as Incarnation | null };
  const starter = new Starter(
    {
      replica,
      supervisor: { start: (assignment) => void started.push(assignment) },
      files: {
        prepare() {
          prepares += 1;
          return prepared.promise;
        },
        stop: () => undefined,
        discard: async (folder) => void discarded.push(folder),
      },
    },
    { env: () => ({ A: '1' }), incarnation: () => session.incarnation, failed: (event) => void failed.push(event) },
  );
  const settle = async (result: Prepared): Promise<void> => {
    prepared.resolve(result);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { replica, job, starter, started, discarded, failed, session, settle, prepares: () => prepares };
}

describe('an attempt', () => {
  it('without inputs goes to the runner at once', () => {
    const { starter, job, started, prepares } = setUp({});
    starter.begin(job);
    expect(started).toMatchObject([{ job: job.id, attempt: 1, incarnation: I1, env: { A: '1' } }]);
    expect(started[0]).not.toHaveProperty('inputs');
    expect(prepares()).toBe(0);
  });

  it('with inputs goes there when they are', async () => {
    const { starter, job, started, settle } = setUp();
    starter.begin(job);
    expect(started).toEqual([]);
    await settle(READY);
    expect(started).toMatchObject([{ job: job.id, inputs: '/staging/x' }]);
  });

  it('whose inputs are on their way is not prepared again, nor one that the runner has', async () => {
    const { starter, job, started, settle, prepares } = setUp();
    starter.connected([{ job: job.id, attempt: 1 }]);
    starter.begin(job);
    expect(prepares()).toBe(0);
    starter.ended({ job: job.id, attempt: 1 });
    starter.begin(job);
    starter.begin(job);
    expect(prepares()).toBe(1);
    await settle(READY);
    starter.begin(job);
    expect([prepares(), started.length]).toEqual([1, 1]);
  });

  it.each<[string, (parts: ReturnType<typeof setUp>) => void]>([
    ['was cancelled', ({ replica, job }) => void replica.local({ kind: 'cancel', job: job.id, mode: 'any' })],
    [
      'was lost with its runner',
      ({ replica, job }) => void replica.system({ kind: 'loseRunner', runner: job.current.runner, incarnation: I1 }),
    ],
    ['belongs to a runner process that is gone', ({ session }) => (session.incarnation = null)],
  ])('that %s meanwhile is not started', async (_what, change) => {
    const parts = setUp();
    parts.starter.begin(parts.job);
    change(parts);
    await parts.settle(READY);
    expect(parts.started).toEqual([]);
    expect(parts.discarded).toEqual(['/staging/x']);
  });

  it('whose inputs cannot be had is told as ended, unless nobody wants it', async () => {
    const wanted = setUp();
    wanted.starter.begin(wanted.job);
    await wanted.settle({ kind: 'failed', end: FAILED });
    expect(wanted.failed).toMatchObject([
      { kind: 'ended', job: wanted.job.id, attempt: 1, startedAt: null, end: FAILED },
    ]);
    const cancelled = setUp();
    cancelled.starter.begin(cancelled.job);
    cancelled.replica.local({ kind: 'cancel', job: (cancelled.job as Job).id, mode: 'any' });
    await cancelled.settle({ kind: 'failed', end: FAILED });
    expect(cancelled.failed).toEqual([]);
  });
});
