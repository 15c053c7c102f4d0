import { describe, expect, it } from 'vitest';
import type { Job } from '../../../src/jobs/job.ts';
import { keptSpec } from '../../../src/jobs/kept-job.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import { decodeRecord, encodeRecord } from '../../../src/state/codec.ts';
import { jobId, START, submit, TestReplica } from '../builders.ts';

function stored(n: number, spec: JobSpec): Job {
  const base = { id: jobId(n), spec, plan: planOf(spec), submittedBy: 'token:somebody', submittedAt: START };
  const job: Job = { ...base, sequence: n, past: [], index: n, state: 'queued', queuedAt: START };
  return decodeRecord('job', encodeRecord('job', job));
}

describe('jobs that are kept', () => {
  it('share what is equal when they are read, and nothing that is not', () => {
    const wanted = { resources: { cpu: 0.5 }, project: 'p' };
    const one = stored(1, { command: ['a'], ...wanted });
    const other = stored(2, { command: ['b'], name: 'b', ...wanted });
    expect(other.plan).toBe(one.plan);
    expect(other.past).toBe(one.past);
    expect(one.plan).toEqual(planOf(one.spec));
    const dearer = stored(3, { command: ['a'], ...wanted, priority: 60 });
    expect(dearer.plan).toEqual({ ...one.plan, priority: 60 });
  });

  it('share it when they are submitted', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { spec: { queue: 'q' } }), submit(2, { spec: { queue: 'q', name: 'other' } }));
    const [one, two] = [1, 2].map((n) => replica.state.jobs.get(jobId(n)));
    expect(one?.plan.queue).toBe('q');
    expect(two?.plan).toBe(one?.plan);
  });

  it('have a spec with every character of the one that was sent', () => {
    const spec: JobSpec = {
      command: ['sh', '-c', `\uFEFF${'ä'.repeat(100)}`, '\u2028 \uD83D\uDE00'],
      env: { A: '\uFEFF'.repeat(99), toString: 'x' },
      resources: { cpu: 0.1, custom: { license: 1e9 } },
      stdin: '\u0000\n"\\',
    };
    expect(keptSpec(spec)).toEqual(spec);
    expect(keptSpec(spec)).not.toBe(spec);
  });
});
