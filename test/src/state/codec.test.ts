import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault, Rejection } from '../../../src/errors.ts';
import {
  decodeEntry,
  decodeProposal,
  decodeRecord,
  encodeEntry,
  encodeProposal,
  encodeRecord,
  packEntry,
} from '../../../src/state/codec.ts';
import type { Proposal } from '../../../src/state/commands.ts';
import { ended, I1, LOCAL, R1, register, START, submit, TestReplica } from '../builders.ts';

const proposal: Proposal = {
  principal: LOCAL,
  origin: 'node',
  sequence: 2 ** 40,
  commands: [
    submit(1, { spec: { env: { A: 'ä\n', B: '' }, resources: { cpu: 0.5, custom: { license: 2 } }, labels: {} } }),
    register(R1, I1),
    ended(1, 1),
    { kind: 'clock' },
  ],
};
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe('proposals and entries', () => {
  it('come back as they were', () => {
    expect(decodeProposal(encodeProposal(proposal))).toEqual(proposal);
    const entry = { at: START, proposals: [proposal, { ...proposal, commands: [] }] };
    expect(decodeEntry(encodeEntry(entry))).toEqual({ ...entry, malformed: 0 });
    expect(decodeEntry(packEntry(START, []))).toEqual({ at: START, proposals: [], malformed: 0 });
  });

  it('are packed without looking inside, as other nodes encoded them', () => {
    const bytes = encodeProposal(proposal);
    const view = new Uint8Array(bytes.length + 20).subarray(7, 7 + bytes.length);
    view.set(bytes);
    expect(decodeEntry(packEntry(START, [view])).proposals).toEqual([proposal]);
  });

  it('can be read from any offset of a larger buffer', () => {
    const entry = encodeEntry({ at: START, proposals: [proposal] });
    const larger = new Uint8Array(entry.length + 3);
    larger.set(entry, 3);
    expect(decodeEntry(larger.subarray(3)).proposals).toEqual([proposal]);
  });

  it('of another version are refused, never guessed at', () => {
    const entry = encodeEntry({ at: START, proposals: [proposal] });
    entry[0] = 2;
    expect(() => decodeEntry(entry)).toThrow(Rejection);
    expect(() => decodeEntry(entry)).toThrow(code('wrongVersion'));
    expect(() => decodeProposal(Uint8Array.of(9, 1))).toThrow(code('wrongVersion'));
    expect(() => decodeProposal(new Uint8Array(0))).toThrow(code('corrupt'));
  });

  it('leave out a proposal that cannot be read, count it, and keep its neighbours', () => {
    const good = encodeProposal(proposal);
    const old = Uint8Array.from(good);
    old[0] = 0;
    const garbage = Uint8Array.of(1, 0xc1, 0xff);
    const notOne = encodeProposal({ origin: 'x' } as never);
    const decoded = decodeEntry(packEntry(START, [old, good, garbage, notOne, new Uint8Array(0), good]));
    expect(decoded).toEqual({ at: START, proposals: [proposal, proposal], malformed: 4 });
  });

  it('whose framing is broken are told as corrupt', () => {
    const entry = encodeEntry({ at: START, proposals: [proposal, proposal] });
    for (let length = 0; length < entry.length; length += 1) {
      expect(() => decodeEntry(entry.subarray(0, length))).toThrow(code('corrupt'));
    }
    expect(() => decodeEntry(Uint8Array.from([...entry, 0]))).toThrow(code('corrupt'));
  });

  it('are either read or refused, whatever the bytes', () => {
    const entry = encodeEntry({ at: START, proposals: [proposal] });
    const flips = fc.array(fc.tuple(fc.nat({ max: entry.length - 1 }), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(flips, (changes) => {
        const bytes = Uint8Array.from(entry);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          TestReplica.founded().apply(decodeEntry(bytes).proposals);
        } catch (error) {
          expect(error instanceof Fault || error instanceof Rejection).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('records', () => {
  it('come back as they were', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { placement: { runner: R1, incarnation: I1 }, spec: { constraints: ['os != x'] } }));
    replica.system(ended(1, 1));
    for (const { table, value } of replica.disk.values()) {
      if (value !== null) expect(decodeRecord(table, encodeRecord(table, value as never))).toEqual(value);
    }
  });

  it('of another version are refused', () => {
    const bytes = encodeRecord('revived', { index: 1 });
    bytes[0] = 7;
    expect(() => decodeRecord('revived', bytes)).toThrow(code('wrongVersion'));
    expect(() => decodeRecord('revived', bytes.subarray(0, 0))).toThrow(code('corrupt'));
  });
});
