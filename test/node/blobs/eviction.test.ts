import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { BlobIndex, IndexedBlob } from '../../../node/blobs/blob-index.ts';
import { Eviction } from '../../../node/blobs/eviction.ts';
import { BLOB_LIMITS } from '../../../node/blobs/limits.ts';
import { type BlobName, blobName } from '../../../src/cas/digest.ts';

interface Planned {
  readonly size: number;
  readonly pin: 'none' | 'ever' | 'over' | 'standing';
  readonly elsewhere: boolean;
  /** It is taken up at the moment it should go. */
  readonly busy: boolean;
}

const NOW = 1000;
const PINS = {
  none: [],
  ever: [{ owner: 'a', until: null }],
  over: [{ owner: 'a', until: NOW }],
  standing: [{ owner: 'a', until: NOW + 1 }],
} as const;

const planned: fc.Arbitrary<Planned> = fc.record({
  size: fc.integer({ min: 0, max: 20 }),
  pin: fc.constantFrom('none', 'ever', 'over', 'standing'),
  elsewhere: fc.boolean(),
  busy: fc.boolean(),
});

test('frees what is wanted where it may, oldest first, and never touches what has to stay', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(planned, { maxLength: 30 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 7 }),
      async (plan, bytes, evictionBatch) => {
        const blobs: IndexedBlob[] = plan.map(({ size }, lastUse) => ({
          name: blobName('sha256', lastUse.toString(16).padStart(64, '0')),
          size,
          lastUse,
        }));
        const at = (name: BlobName): number => Number.parseInt(name.hash, 16);
        const gone: number[] = [];
        const index: Pick<BlobIndex, 'leastUsed' | 'pins'> = {
          leastUsed: async (limit, after) =>
            blobs.filter(({ lastUse }) => lastUse > (after?.lastUse ?? -1)).slice(0, limit),
          pins: async (name) => PINS[plan[at(name)]!.pin],
        };
        const eviction = new Eviction(
          {
            index,
            now: () => NOW,
            mayGo: async (names) => names.map((name) => plan[at(name)]!.elsewhere),
            remove: async (name) => {
              if (plan[at(name)]!.busy) return false;
              gone.push(at(name));
              return true;
            },
          },
          { ...BLOB_LIMITS, evictionBatch },
        );
        const freed = await eviction.free(bytes);
        const mayGo = plan.flatMap(({ pin, elsewhere, busy }, lastUse) =>
          (pin === 'none' || pin === 'over') && elsewhere && !busy ? [lastUse] : [],
        );
        const sizeOf = (which: readonly number[]): number => which.reduce((sum, one) => sum + plan[one]!.size, 0);
        // A prefix of those that may go, as long as is needed and no longer.
        expect(gone).toEqual(mayGo.slice(0, gone.length));
        expect(freed).toBe(sizeOf(gone));
        expect(freed).toBeGreaterThanOrEqual(Math.min(bytes, sizeOf(mayGo)));
        if (gone.length > 0) expect(sizeOf(gone.slice(0, -1))).toBeLessThan(bytes);
        expect(eviction.evicted).toBe(gone.length);
      },
    ),
  );
});

test('does not look again at once where nothing may go', async () => {
  let now = NOW;
  let looked = 0;
  const eviction = new Eviction(
    {
      index: { leastUsed: async () => (looked++, []), pins: async () => [] },
      now: () => now,
      mayGo: async () => [],
      remove: async () => true,
    },
    BLOB_LIMITS,
  );
  expect([await eviction.free(1), await eviction.free(1)]).toEqual([0, 0]);
  expect(looked).toBe(1);
  now += BLOB_LIMITS.evictionPauseMs;
  await eviction.free(1);
  expect(looked).toBe(2);
});
