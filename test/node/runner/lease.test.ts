import { expect, test } from 'vitest';
import { bootClockMs, createLease } from '../../../node/runner/lease.ts';

test('a lease is over once nothing renewed it for its time', () => {
  let now = 1000;
  const lease = createLease({ clockMs: () => now });
  expect(lease.isOver()).toBe(false);
  lease.renew(100);
  now += 99;
  expect(lease.isOver()).toBe(false);
  lease.renew(100);
  now += 99;
  expect(lease.isOver()).toBe(false);
  now += 1;
  expect(lease.isOver()).toBe(true);
  lease.renew(null);
  now += 1e9;
  expect(lease.isOver()).toBe(false);
});

test('the clock of leases does not go back', () => {
  const first = bootClockMs();
  expect(bootClockMs()).toBeGreaterThanOrEqual(first);
});
