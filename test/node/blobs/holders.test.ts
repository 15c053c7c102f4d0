import { expect, test } from 'vitest';
import { type BlobMember, Holders } from '../../../node/blobs/holders.ts';
import { MissCache } from '../../../node/blobs/miss-cache.ts';
import { Pace } from '../../../node/blobs/pace.ts';
import type { NodeId } from '../../../src/ids.ts';
import { nameOf, sample } from './support.ts';

const SELF = 'self' as NodeId;

function member(id: string, changed: Partial<BlobMember> = {}): BlobMember {
  return {
    id: id as NodeId,
    addresses: ['/ip4/1.2.3.4/tcp/1'],
    store: 's',
    connected: true,
    leaving: false,
    ...changed,
  };
}

test('a member that is away holds its blobs for the time of grace, and again once it is back', () => {
  const holders = new Holders({ self: SELF, goneAfterMs: 100 });
  holders.update([member('a'), member('b', { connected: false })], false, 1000);
  expect(holders.all(1099)).toEqual([SELF, 'a', 'b']);
  expect(holders.nextGoneAt(1050)).toBe(1100);
  // Told again, it is not away from then on only.
  holders.update([member('a'), member('b', { connected: false })], false, 1050);
  expect([holders.all(1100), holders.nextGoneAt(1100)]).toEqual([[SELF, 'a'], null]);
  expect(holders.reachable()).toEqual(['a']);
  holders.update([member('a'), member('b')], false, 1200);
  expect(holders.all(1200)).toEqual([SELF, 'a', 'b']);
  holders.update([member('a'), member('b', { connected: false })], false, 1300);
  expect(holders.all(1399)).toContain('b');
});

test('who has not said where it takes bytes, or leaves, holds nothing; this node neither when it leaves', () => {
  const holders = new Holders({ self: SELF, goneAfterMs: 100 });
  holders.update([member('a', { addresses: null }), member('b', { leaving: true }), member('c')], true, 0);
  expect(holders.all(0)).toEqual(['c']);
  expect(holders.reachable()).toEqual(['b', 'c']);
});

test('what matters for the copies changes the fingerprint, and nothing else does', () => {
  const holders = new Holders({ self: SELF, goneAfterMs: 100 });
  const of = (members: readonly BlobMember[], selfLeaves = false): string => {
    holders.update(members, selfLeaves, 0);
    return holders.fingerprint(0);
  };
  const before = of([member('a'), member('b')]);
  expect(of([member('b'), member('a', { addresses: ['/ip4/1.2.3.4/tcp/2'] })])).toBe(before);
  expect(of([member('a'), member('b', { store: 'another' })])).not.toBe(before);
  expect(of([member('a')])).not.toBe(before);
  expect(of([member('a'), member('b')], true)).not.toBe(before);
});

test('what was nowhere is believed for a while, as long as there is room, and until it is put', () => {
  const misses = new MissCache({ forMs: 10, size: 2 });
  const [a, b, c] = [1, 2, 3].map((number) => nameOf(sample(number, 1))) as [never, never, never];
  misses.add(a, 0);
  expect([misses.has(a, 9), misses.has(a, 10), misses.has(b, 0)]).toEqual([true, false, false]);
  for (const name of [a, b, c]) misses.add(name, 0);
  expect([a, b, c].map((name) => misses.has(name, 1))).toEqual([false, true, true]);
  misses.remove(b);
  expect(misses.has(b, 1)).toBe(false);
  misses.clear();
  expect(misses.has(c, 1)).toBe(false);
});

test('repairs are spread out so that no more bytes go than may', async () => {
  let now = 0;
  const pace = new Pace(
    1000,
    () => now,
    async (ms) => {
      now += ms;
    },
  );
  await pace.take(500);
  expect(now).toBe(0);
  await pace.take(2000);
  expect(now).toBe(500);
  await pace.take(1);
  expect(now).toBe(2500);
  now = 10_000;
  await pace.take(1);
  expect(now).toBe(10_000);
});
