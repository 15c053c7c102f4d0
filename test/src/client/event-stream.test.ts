import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../../src/client/client-error.ts';
import { readEvents, readLines } from '../../../src/client/event-stream.ts';

/** The bytes of a text, cut at the given places. */
async function* cut(text: string, places: readonly number[] = []): AsyncGenerator<Uint8Array, void> {
  const bytes = new TextEncoder().encode(text);
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    yield bytes.subarray(from, to);
    from = to;
  }
}

const LINE_ENDS = ['\n', '\r\n', '\r'] as const;

describe('server-sent events', () => {
  it.each(LINE_ENDS)('are told apart by blank lines, with line ends %j', async (end) => {
    const text = ['event: log', 'data: one', '', 'data:two', 'data: three', '', ''].join(end);
    expect(await Array.fromAsync(readEvents(cut(text)))).toEqual([
      { event: 'log', data: 'one', id: '' },
      { event: 'message', data: 'two\nthree', id: '' },
    ]);
  });

  it('leave out comments and fields that nobody knows, and keep the last id', async () => {
    const text = ': alive\nid: 5\nretry: 9\ndata: a\n\n: alive\n\ndata: b\n\n';
    expect(await Array.fromAsync(readEvents(cut(text)))).toEqual([
      { event: 'message', data: 'a', id: '5' },
      { event: 'message', data: 'b', id: '5' },
    ]);
  });

  it('drop an event that the end of the stream cut off', async () => {
    const events = await Array.fromAsync(readEvents(cut('data: whole\n\ndata: half\n')));
    expect(events.map(({ data }) => data)).toEqual(['whole']);
  });

  it('are the same wherever the bytes are cut, also inside characters and line ends', async () => {
    const data = fc.array(
      fc.string({ unit: 'grapheme' }).map((line) => line.replaceAll(/[\r\n]/g, '')),
      { minLength: 1 },
    );
    const places = fc.array(fc.nat(), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.array(data), fc.constantFrom(...LINE_ENDS), places, async (events, end, cuts) => {
        const text = events.map((lines) => [...lines.map((line) => `data: ${line}`), '', ''].join(end)).join('');
        const read = await Array.fromAsync(readEvents(cut(text, cuts)));
        expect(read.map((event) => event.data)).toEqual(events.map((lines) => lines.join('\n')));
      }),
    );
  });
});

describe('lines', () => {
  it('keep a last one without its line end, and a carriage return that is content', async () => {
    expect(await Array.fromAsync(readLines(cut('a\r\n\nb', [1, 2]), 10, 'ndjson'))).toEqual(['a\r', '', 'b']);
  });

  it('are refused when they are longer than allowed, before all of it is read', async () => {
    let taken = 0;
    async function* endless(): AsyncGenerator<Uint8Array, void> {
      for (;;) {
        taken += 1;
        yield new Uint8Array(10).fill(97);
      }
    }
    await expect(Array.fromAsync(readLines(endless(), 100, 'ndjson'))).rejects.toThrow(ProtocolError);
    expect(taken).toBeLessThan(20);
  });
});
