import { describe, expect, it } from 'vitest';
import { decodeLogPieces, encodeLogPiece } from '../../node/open-messages.ts';
import type { LogPiece } from '../../node/runner/ports.ts';

const event = (bytes: number): LogPiece => ({
  stream: 'stdout',
  at: '2026-01-01T00:00:00.000Z',
  data: Buffer.alloc(bytes, 'x'),
  offset: 7,
});

async function* cutInto(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decode(chunks: AsyncIterable<Uint8Array>): Promise<readonly LogPiece[]> {
  return await Array.fromAsync(decodeLogPieces(chunks));
}

describe('a log between members', () => {
  it.each([1, 7, 64 * 1024, 10_000_000])(
    'is whole again, however it is cut on the way: every %i bytes',
    async (size) => {
      const sizes = [0, 1, size === 1 ? 100 : 64 * 1024, 3];
      const bytes = Buffer.concat(sizes.map((length) => encodeLogPiece(event(length))));
      const events = await decode(cutInto(bytes, size));
      expect(events.map(({ data }) => data.length)).toEqual(sizes);
      expect(events[2]).toMatchObject({ stream: 'stdout', at: '2026-01-01T00:00:00.000Z', offset: 7 });
      expect(Buffer.from(events[2]?.data ?? []).equals(event(sizes[2] ?? 0).data)).toBe(true);
    },
  );

  it('that breaks off is told', async () => {
    const bytes = encodeLogPiece(event(100)).subarray(0, 50);
    await expect(decode(cutInto(bytes, 20))).rejects.toMatchObject({ code: 'peerUnreachable' });
  });

  it('that is none is told', async () => {
    await expect(decode(cutInto(Buffer.alloc(8, 0xff), 8))).rejects.toMatchObject({ code: 'peerUnreachable' });
  });
});
