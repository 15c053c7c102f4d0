import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BadFrame, FRAME_HEADER_BYTES, FrameDecoder, joinFrames } from '../../../node/p2p/framing.ts';

const MAX = 40_000;

function decode(chunks: readonly Uint8Array[], maxFrameBytes = MAX): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const decoder = new FrameDecoder((frame) => frames.push(frame), { maxFrameBytes });
  for (const chunk of chunks) decoder.push(chunk);
  return frames;
}

function cut(whole: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(whole.subarray(at, at + size));
    at += size;
  }
  chunks.push(whole.subarray(at));
  return chunks;
}

const frame = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc.integer({ min: 16_000, max: 40_000 }).map((length) => new Uint8Array(length).fill(length % 251)),
);

describe('frames on a stream', () => {
  test('come out as they went in, however the stream cuts them', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(3000), { maxLength: 80 }), (frames, sizes) => {
        const whole = Buffer.concat(joinFrames(frames));
        expect(decode(cut(whole, sizes)).map(hex)).toEqual(frames.map(hex));
      }),
      { numRuns: 60 },
    );
  });

  test('come out one byte at a time too', () => {
    const whole = Buffer.concat(joinFrames([Buffer.from('one'), Buffer.from('two')]));
    expect(decode(cut(whole, Array(whole.length).fill(1))).map(String)).toEqual(['one', 'two']);
  });

  test('small ones leave in one write, large ones without a copy', () => {
    const large = new Uint8Array(20_000);
    expect(joinFrames([Buffer.from('a'), Buffer.from('b')])).toHaveLength(1);
    expect(joinFrames([Buffer.from('a'), large, Buffer.from('b')]).includes(large)).toBe(true);
  });

  test('are bytes of their own: neither a neighbour nor the chunk stays alive with them', () => {
    const chunk = Buffer.concat(joinFrames([Buffer.from('a'), Buffer.from('b')]));
    for (const { buffer, byteLength } of decode([chunk])) expect(buffer.byteLength).toBe(byteLength);
  });

  test('that are too large are refused by their header, before a byte of them is kept', () => {
    const decoder = new FrameDecoder(() => {}, { maxFrameBytes: 100 });
    const header = Buffer.alloc(FRAME_HEADER_BYTES);
    header.writeUInt32BE(101);
    expect(() => decoder.push(header)).toThrow(BadFrame);
  });

  test('of exactly the allowed size pass', () => {
    const whole = Buffer.concat(joinFrames([new Uint8Array(100)]));
    expect(decode([whole], 100)).toHaveLength(1);
  });

  test('that are empty are refused', () => {
    expect(() => decode([Buffer.alloc(FRAME_HEADER_BYTES)])).toThrow(BadFrame);
  });

  test('what is incomplete is told by its bytes', () => {
    const decoder = new FrameDecoder(() => {}, { maxFrameBytes: 100 });
    const whole = Buffer.concat(joinFrames([new Uint8Array(10)]));
    decoder.push(whole.subarray(0, 7));
    expect(decoder.partialBytes).toBe(7);
    decoder.push(whole.subarray(7));
    expect(decoder.partialBytes).toBe(0);
  });
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
