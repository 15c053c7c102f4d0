import { expect, test } from 'vitest';
import { createFrameDecoder, encodeFrame, FRAME_BYTES_MAX } from '../../../node/runner/frames.ts';

test('frames come whole, however they are cut up', () => {
  const messages = [{ a: 1 }, { b: 'x'.repeat(1000) }, null, ['y']];
  const bytes = Buffer.concat(messages.map(encodeFrame));
  for (const step of [1, 2, 7, 500, bytes.length]) {
    const decoder = createFrameDecoder<unknown>();
    const decoded = [];
    for (let at = 0; at < bytes.length; at += step) decoded.push(...decoder.push(bytes.subarray(at, at + step)));
    expect(decoded).toEqual(messages.map((message) => ({ kind: 'message', message })));
  }
});

test('a frame of another version is told as such', () => {
  const frame = encodeFrame({});
  frame[4] = 9;
  expect(createFrameDecoder().push(frame)).toEqual([{ kind: 'otherVersion', version: 9 }]);
});

test('a length out of bounds ends the reading', () => {
  for (const length of [0, FRAME_BYTES_MAX + 2, 0xffff_ffff]) {
    const header = Buffer.alloc(5);
    header.writeUInt32BE(length);
    expect(() => createFrameDecoder().push(header)).toThrow('no valid length');
  }
});

test('bytes that are no message are refused', () => {
  expect(() => createFrameDecoder().push(Buffer.from([0, 0, 0, 3, 1, 0xc1, 0xc1]))).toThrow('cannot be read');
});

test('a message that is too large is refused by its sender', () => {
  expect(() => encodeFrame('x'.repeat(FRAME_BYTES_MAX))).toThrow('too large');
});
