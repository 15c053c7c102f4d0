import { describe, expect, it } from 'vitest';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import { explain } from '../../../src/scheduling/explain.ts';
import { amounts, I1, I2, jobId, R1, R2, register, submit, TestReplica } from '../builders.ts';

/** Two runners: one of four processors with two units of a license, one with a GPU. */
function cluster(): TestReplica {
  const replica = TestReplica.founded();
  replica.system(
    register(R1, I1, amounts({ custom: { license: 2000 } }), { os: 'linux', pool: 'spot' }),
    register(R2, I2, amounts({ cpuMilli: 2000, gpu: 1 }), { os: 'linux' }),
  );
  return replica;
}

const refused = (message: string, field?: string) =>
  field === undefined ? { ok: false, code: 'infeasible', message } : { ok: false, code: 'infeasible', message, field };

const IMPOSSIBLE: readonly (readonly [Partial<JobSpec>, ReturnType<typeof refused>])[] = [
  [
    { resources: { cpu: 64 } },
    refused('none of the 2 runners has as much: it asks for 64, the most that one has is 4', 'resources.cpu'),
  ],
  [
    { resources: { memory: '1TiB' } },
    refused(
      `none of the 2 runners has as much: it asks for ${2 ** 40}, the most that one has is ${2 ** 33}`,
      'resources.memory',
    ),
  ],
  [
    { resources: { custom: { license: 2.5 } } },
    refused(
      'none of the 2 runners has as much: it asks for 2.5, the most that one has is 2',
      'resources.custom.license',
    ),
  ],
  [
    { resources: { custom: { gpu: 1 } } },
    refused('none of the 2 runners has as much: it asks for 1, the most that one has is 0', 'resources.custom.gpu'),
  ],
  [
    { constraints: ['os == linux', 'arch in (riscv, arm64)'] },
    refused('none of the 2 runners meets arch in (riscv, arm64)', 'constraints[1]'),
  ],
  [
    { resources: { cpu: 3, gpu: 1 } },
    refused('none of the 2 runners has all that it asks for, though some have each part of it'),
  ],
  [
    { resources: { gpu: 1 }, constraints: ['pool == spot'] },
    refused('none of the 2 runners has all that it asks for, though some have each part of it'),
  ],
];

describe('a job that no runner could ever hold', () => {
  it.each(IMPOSSIBLE)('is refused when that is asked for, and told what is in the way: %j', (spec, refusal) => {
    const replica = cluster();
    expect(replica.local(submit(1, { spec: { ...spec, infeasible: 'refuse' } }))).toEqual([refusal]);
    expect(replica.state.jobs.size).toBe(0);
  });

  it.each(IMPOSSIBLE)('is queued otherwise, and its explanation tells at once that no runner is able: %j', (spec) => {
    const replica = cluster();
    expect(replica.local(submit(1, { spec }))).toMatchObject([{ ok: true }]);
    expect(explain(replica.state, jobId(1))).toMatchObject({ state: 'queued', runners: 2, able: 0, fitting: 0 });
  });

  it('is one that asks for anything while there is no runner', () => {
    const replica = TestReplica.founded();
    const [result] = replica.local(submit(1, { spec: { infeasible: 'refuse' } }));
    expect(result).toMatchObject({ ok: false, code: 'infeasible' });
  });

  it('is not one that waits for a runner that is full, drains, or is lost and may come back', () => {
    const replica = cluster();
    const spec = { resources: { cpu: 4 }, infeasible: 'refuse' } as const;
    replica.local(submit(1, { spec, placement: { runner: R1, incarnation: I1 } }));
    expect(replica.job(1).state).toBe('assigned');
    replica.local({ kind: 'drainRunner', runner: R1, mode: 'drain' }, submit(2, { spec }));
    replica.system({ kind: 'loseRunner', runner: R1, incarnation: I1 });
    replica.local(submit(3, { spec }));
    for (const n of [2, 3]) expect(explain(replica.state, jobId(n))).toMatchObject({ state: 'queued', able: 1 });
    replica.system({ kind: 'forgetNode', node: R1 });
    expect(replica.local(submit(4, { spec }))).toMatchObject([{ ok: false, code: 'infeasible' }]);
  });

  it('is refused under its key again, and may be submitted under it once a runner can hold it', () => {
    const replica = cluster();
    const idempotency = { key: 'k', bodyHash: 'h' };
    const spec = { resources: { cpu: 8 }, infeasible: 'refuse' } as const;
    expect(replica.local(submit(1, { spec, idempotency }))).toMatchObject([{ ok: false }]);
    replica.system(register(R2, I1, amounts({ cpuMilli: 8000 })));
    expect(replica.local(submit(2, { spec, idempotency }))).toMatchObject([{ ok: true, job: jobId(2) }]);
  });
});
