import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SYSTEM } from '../../../src/auth.ts';
import type { Proposal } from '../../../src/state/commands.ts';
import { judgeRepeat, noteApplied } from '../../../src/state/repeats.ts';
import type { ProposerRecord } from '../../../src/state/records.ts';
import { ended, I1, jobId, LOCAL, picture, R1, submit, TestReplica } from '../builders.ts';

const proposal = (some: Partial<Proposal>): Proposal => ({
  principal: LOCAL,
  origin: 'node',
  sequence: 1,
  commands: [],
  ...some,
});
const placement = { runner: R1, incarnation: I1 };

describe('a repeated proposal', () => {
  it('runs no job twice, even when the job was final before', () => {
    const replica = TestReplica.withRunner();
    const submission = proposal({ commands: [submit(1, { placement })] });
    expect(replica.apply([submission])).toEqual([[{ ok: true, job: jobId(1) }]]);
    replica.system(ended(1, 1));
    expect(replica.job(1).state).toBe('succeeded');
    expect(replica.apply([submission])).toEqual([[{ ok: true, job: jobId(1) }]]);
    expect(replica.last.events).toEqual([]);
    expect(replica.state.jobs.size).toBe(0);
  });

  it('is known after a reload, and within one entry', () => {
    const replica = TestReplica.founded();
    const submission = proposal({ commands: [submit(1)] });
    replica.apply([submission, submission]);
    replica.local({ kind: 'cancel', job: jobId(1), mode: 'any' });
    replica.reload();
    replica.apply([submission]);
    expect(replica.state.jobs.size).toBe(0);
  });

  it('tells the job of its key, as the first one did', () => {
    const replica = TestReplica.founded();
    const keyed = (n: number) => submit(n, { idempotency: { key: 'k', bodyHash: 'h' } });
    const second = proposal({ sequence: 2, commands: [keyed(2)] });
    const answers = replica.apply([proposal({ commands: [keyed(1)] }), second]);
    expect(answers[1]).toEqual([{ ok: true, job: jobId(1), existed: true }]);
    expect(replica.apply([second])).toEqual([answers[1]]);
  });

  it('has no answer when something of it was refused: what, is not known any more', () => {
    const replica = TestReplica.founded();
    const mixed = proposal({ commands: [submit(1), { kind: 'cancel', job: jobId(9), mode: 'any' }] });
    expect(replica.apply([mixed])[0]).toMatchObject([{ ok: true }, { ok: false }]);
    expect(replica.apply([mixed])).toEqual([]);
    expect(replica.state.jobs.size).toBe(1);
  });

  it('is another one under another origin', () => {
    const replica = TestReplica.founded();
    replica.apply([proposal({ commands: [submit(1)] }), proposal({ origin: 'other', commands: [submit(2)] })]);
    expect(replica.state.jobs.size).toBe(2);
  });

  it('is remembered for a bounded number of proposers, the newest, alike after a reload', () => {
    const replica = TestReplica.founded();
    const entry = Array.from({ length: 10_050 }, (_, n) => proposal({ origin: `node-${n}`, principal: SYSTEM }));
    replica.apply(entry.slice(0, 5_000));
    replica.apply(entry.slice(5_000));
    expect(replica.state.proposers.size).toBe(10_000);
    const before = picture(replica.state);
    replica.reload();
    expect(picture(replica.state)).toEqual(before);
  });
});

describe('what is remembered of a proposer', () => {
  it('tells new from repeated, in whatever order they came', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 })), fc.func(fc.boolean()), (sequences, refuses) => {
        let record: ProposerRecord | undefined;
        for (const sequence of sequences) {
          expect(judgeRepeat(record, sequence)).toBe('new');
          record = noteApplied(record, sequence, refuses(sequence) ? 'refusing' : 'taken', 1);
        }
        for (let sequence = 1; sequence <= 60; sequence += 1) {
          const applied = refuses(sequence) ? 'forgotten' : 'repeated';
          expect(judgeRepeat(record, sequence)).toBe(sequences.includes(sequence) ? applied : 'new');
        }
      }),
    );
  });

  it('is one range for proposals that come in order', () => {
    let record: ProposerRecord | undefined;
    for (let sequence = 1; sequence <= 10_000; sequence += 1) record = noteApplied(record, sequence, 'taken', 7);
    expect(record).toEqual({ floor: 0, applied: [1, 10_000], refusing: [], refusingFloor: 0, index: 7 });
  });

  it('stays small with any gaps and refusals, and never takes an applied one as new', () => {
    let record: ProposerRecord | undefined;
    for (let sequence = 1; sequence <= 5_000; sequence += 2) {
      record = noteApplied(record, sequence, sequence % 3 === 0 ? 'refusing' : 'taken', 1);
      expect(record.applied.length).toBeLessThanOrEqual(512);
      expect(record.refusing.length).toBeLessThanOrEqual(256);
    }
    for (let sequence = 1; sequence <= 5_000; sequence += 2) expect(judgeRepeat(record, sequence)).not.toBe('new');
    expect(judgeRepeat(record, 4_998)).toBe('new');
    expect(judgeRepeat(record, 2)).toBe('forgotten');
  });

  it('does not answer for refusals that it has forgotten', () => {
    let record: ProposerRecord | undefined;
    for (let sequence = 1; sequence <= 300; sequence += 1) record = noteApplied(record, sequence, 'refusing', 1);
    for (let sequence = 1; sequence <= 300; sequence += 1) expect(judgeRepeat(record, sequence)).toBe('forgotten');
    expect(judgeRepeat(noteApplied(record, 301, 'taken', 1), 301)).toBe('repeated');
  });
});
