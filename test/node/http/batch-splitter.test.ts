import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitBatch } from '../../../node/http/batch-splitter.ts';
import type { BatchText } from '../../../node/http/batch-splitter.ts';

const MAX_BYTES = 100;

/** Feeds the bytes in pieces that end at the given places. */
function split(bytes: Buffer, cuts: readonly number[]): readonly BatchText[] {
  const splitter = splitBatch(MAX_BYTES);
  const texts: BatchText[] = [];
  function drain(): void {
    for (let text = splitter.next(); text !== null; text = splitter.next()) texts.push(text);
  }
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].toSorted(
    (a, b) => a - b,
  );
  for (let index = 1; index < places.length; index += 1) {
    splitter.push(bytes.subarray(places[index - 1], places[index]));
    drain();
  }
  splitter.end();
  drain();
  return texts;
}

const cutPlaces = fc.array(fc.nat(), { maxLength: 20 });
const values = fc.array(
  fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  ),
  {
    minLength: 1,
  },
);

function expected(text: string): BatchText {
  return Buffer.byteLength(text) > MAX_BYTES ? { kind: 'oversized' } : text;
}

describe('cutting a batch into its jobs', () => {
  it('gives the lines whatever pieces they come in', () => {
    fc.assert(
      fc.property(values, cutPlaces, (texts, cuts) => {
        fc.pre(!texts[0]?.startsWith('['));
        expect(split(Buffer.from(texts.join('\n')), cuts)).toEqual(texts.map(expected));
      }),
    );
  });

  it('gives the elements of an array whatever pieces they come in', () => {
    fc.assert(
      fc.property(values, cutPlaces, (texts, cuts) => {
        expect(split(Buffer.from(`[${texts.join(',')}]`), cuts)).toEqual(texts.map(expected));
      }),
    );
  });

  it('gives the same for any bytes in one piece and in many', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .array(fc.constantFrom('[', ']', '{', '}', ',', '"', '\\', '\n', ' ', 'a', 'é'))
        .map((parts) => Buffer.from(parts.join(''))),
    );
    fc.assert(
      fc.property(bytes, cutPlaces, (given, cuts) => {
        expect(split(Buffer.from(given), cuts)).toEqual(split(Buffer.from(given), []));
      }),
      { numRuns: 1_000 },
    );
  });

  it('holds no more than the limit of a line that never ends', () => {
    const splitter = splitBatch(MAX_BYTES);
    const chunk = Buffer.alloc(1024 * 1024, 'a');
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 300; count += 1) splitter.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100 * 1024 * 1024);
    expect(splitter.next()).toBeNull();
    splitter.push(Buffer.from('\n{}\n'));
    expect([splitter.next(), splitter.next(), splitter.next()]).toEqual([{ kind: 'oversized' }, '{}', null]);
  });
});
