import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry, NodeId } from '../../../raft/types.ts';
import {
  decodeBlock,
  decodeEntries,
  encodeBlock,
  encodeEntries,
  entryBytes,
} from '../../../node/storage/block-codec.ts';
import { configuration, data, range } from './log-builders.ts';

const nodeIds = fc.array(
  fc.string({ maxLength: 60 }).map((id) => id as NodeId),
  { maxLength: 4 },
);
const content = fc.oneof(
  fc.record({ kind: fc.constant('data' as const), data: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ kind: fc.constant('noop' as const) }),
  fc.record({
    kind: fc.constant('configuration' as const),
    configuration: fc.record({ voters: nodeIds, outgoing: nodeIds, learners: nodeIds, learnersNext: nodeIds }),
  }),
);
const entries = fc
  .record({
    first: fc.integer({ min: 1, max: 2 ** 50 }),
    contents: fc.array(fc.tuple(content, fc.integer({ min: 0, max: 2 ** 50 })), { maxLength: 30 }),
  })
  .map(({ first, contents }) => contents.map(([rest, term], at): Entry => ({ ...rest, term, index: first + at })));

describe('entries as bytes', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(entries, (list) => {
        expect(decodeEntries(encodeEntries(list))).toEqual(list);
      }),
    );
  });

  test('are told as cut short wherever they are cut', () => {
    const bytes = encodeEntries([data(7), { kind: 'noop', index: 8, term: 2 }, data(9, 2)]);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeEntries(bytes.subarray(0, length))).toThrow(expect.objectContaining({ code: 'corrupt' }));
    }
  });

  test('never make the reader loop, hang or throw anything but a coded error, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, asVersion1) => {
        if (asVersion1 && bytes.length > 0) bytes[0] = 1;
        try {
          decodeEntries(bytes);
        } catch (error) {
          expect(['corrupt', 'wrongVersion']).toContain((error as { code: string }).code);
        }
      }),
    );
  });

  test('of another version are refused by name', () => {
    const bytes = encodeEntries(range(1, 2));
    bytes[0] = 2;
    expect(() => decodeEntries(bytes)).toThrow(expect.objectContaining({ code: 'wrongVersion' }));
  });

  test('with a gap are a bug of the caller', () => {
    expect(() => encodeEntries([data(1), data(3)])).toThrow('without gaps');
  });

  test('do not copy data when read', () => {
    const bytes = encodeEntries([data(1)]);
    const [entry] = decodeEntries(bytes);
    expect(entry?.kind === 'data' && entry.data.buffer).toBe(bytes.buffer);
  });

  test('take as many bytes as was foretold', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const foretold = list.reduce((sum, entry) => sum + entryBytes(entry), 0);
        expect(encodeEntries(list).length - encodeEntries([]).length).toBe(foretold);
      }),
    );
  });
});

describe('a block', () => {
  test('comes back with its place in the chain', () => {
    const list: Entry[] = [data(5), { kind: 'configuration', index: 6, term: 1, configuration: configuration('x') }];
    const chain = { sequence: 2 ** 40 + 3, previous: 2 ** 33 };
    expect(decodeBlock(encodeBlock(list, chain))).toEqual({ ...chain, entries: list });
  });

  test('is refused when any one byte of it changed', () => {
    const bytes = encodeBlock(range(1, 3), { sequence: 2, previous: 1 });
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Uint8Array.from(bytes);
      flipped[at] = flipped[at]! ^ 0x10;
      const code = at === 0 ? 'wrongVersion' : 'corrupt';
      expect(() => decodeBlock(flipped), `byte ${at}`).toThrow(expect.objectContaining({ code }));
    }
  });
});
