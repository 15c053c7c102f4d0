import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchBase, isJobId, type JobId, lineId } from '../../../src/ids.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { Command } from '../../../src/state/commands.ts';
import { hasNumber, withNumber } from '../../../src/state/number-ranges.ts';
import { cancel, jobId, LOCAL, submit, TestReplica } from '../builders.ts';

const BASE = jobId(0);
const OTHER_BASE = '018f0000-0000-7000-8000-700000000000' as JobId;

function line(n: number, base = BASE, spec = {}): Command {
  return { ...submit(0, { spec }), id: lineId(base, n), batch: { key: 'k', line: n, base } } as Command;
}

describe('a line of a batch under a key', () => {
  it('is taken once, whatever became of its job, and by a replica that started anew too', () => {
    const replica = TestReplica.withRunner();
    expect(replica.local(line(1), line(2))).toEqual([
      { ok: true, job: jobId(1) },
      { ok: true, job: jobId(2) },
    ]);
    replica.local(cancel(1));
    replica.reload();
    expect(replica.local(line(1), line(2), line(3))).toEqual([
      { ok: true, job: jobId(1), existed: true },
      { ok: true, job: jobId(2), existed: true },
      { ok: true, job: jobId(3) },
    ]);
    expect(replica.state.idempotency.size).toBe(1);
  });

  it('has the id that it had, or would have had, when its sender knows nothing of the first time', () => {
    const replica = TestReplica.withRunner();
    replica.local(line(1));
    expect(replica.local(line(1, OTHER_BASE), line(2, OTHER_BASE))).toEqual([
      { ok: true, job: jobId(1), existed: true },
      { ok: true, job: jobId(2) },
    ]);
    expect(replica.job(2).id).toBe(jobId(2));
    expect(replica.local(line(1), line(2), line(3))).toMatchObject([
      { job: jobId(1), existed: true },
      { job: jobId(2), existed: true },
      { job: jobId(3) },
    ]);
  });

  it('that was refused may be taken the next time', () => {
    const replica = TestReplica.withRunner();
    replica.local(line(1), line(2, BASE, { timeout: '?' }), line(3));
    expect(replica.local(line(2))).toEqual([{ ok: true, job: jobId(2) }]);
  });

  it('is refused under the key of another request, and the other way round', () => {
    const replica = TestReplica.withRunner();
    const one = (n: number) => submit(n, { idempotency: { key: 'k', bodyHash: 'h' } });
    replica.local(one(98));
    const conflict = { ok: false, code: 'idempotencyConflict', field: 'Idempotency-Key' };
    expect(replica.local(line(1))[0]).toMatchObject(conflict);
    replica.pass(LIMITS.idempotencyTtlMs);
    replica.local(line(1));
    expect(replica.local(one(99))[0]).toMatchObject(conflict);
  });

  it('is forgotten after a day, with its batch', () => {
    const replica = TestReplica.withRunner();
    replica.local(line(1), line(2));
    replica.pass(LIMITS.idempotencyTtlMs);
    expect(replica.state.idempotency.size).toBe(0);
  });

  it('is the answer to a proposal that comes twice', () => {
    const replica = TestReplica.withRunner();
    const proposal = { principal: LOCAL, origin: 'node', sequence: 1, commands: [line(1)] };
    replica.apply([proposal]);
    replica.local(cancel(1));
    expect(replica.apply([proposal])).toEqual([[{ ok: true, job: jobId(1) }]]);
    expect(replica.state.jobs.size).toBe(0);
  });

  it('takes little room also when each second one is refused', () => {
    const replica = TestReplica.withRunner();
    const odd = Array.from({ length: 1500 }, (_, n) => line(2 * n + 1));
    replica.local(...odd);
    const [record] = replica.state.idempotency.values();
    expect(record).toHaveProperty('lines.length', 2000);
    expect(replica.local(...odd).every((result) => result.ok && result.existed)).toBe(true);
  });
});

describe('ids that are counted', () => {
  it('are ids, all different, from any base', () => {
    for (const base of [BASE, batchBase('018f0000-0000-7000-8000-ffffffffffff' as JobId)]) {
      const ids = [1, 2, 4096, LIMITS.batchJobs].map((n) => lineId(base, n));
      expect(ids.every(isJobId)).toBe(true);
      expect(new Set(ids).size).toBe(ids.length);
    }
    expect(lineId(batchBase('018f0000-0000-7000-8000-ffffffffffff' as JobId), 1)).toBe(
      '018f0000-0000-7000-8000-800000000000',
    );
  });
});

describe('ranges of numbers', () => {
  it('hold what was put into them, in any order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 })), (numbers) => {
        const ranges = numbers.reduce<readonly number[]>((all, number) => withNumber(all, number), []);
        for (let n = 0; n <= 61; n += 1) expect(hasNumber(ranges, n)).toBe(numbers.includes(n));
        for (let i = 2; i < ranges.length; i += 2) expect(ranges[i]).toBeGreaterThan((ranges[i - 1] ?? 0) + 1);
      }),
    );
  });
});
