import { describe, expect, it } from 'vitest';
import { TickWatch } from '../../../node/replica/tick-watch.ts';

const TICK_MS = 10;

/** Ten ticks to an election: a lease is at most eight of them old. */
function setUp() {
  const watch = new TickWatch({ tickMs: TICK_MS, electionTicks: 10 });
  let now = 0;
  return {
    ticks(count: number, everyMs: number): void {
      for (let i = 0; i < count; i += 1) watch.ticked((now += everyMs));
    },
    hasLostTime: (laterMs: number): boolean => watch.hasLostTime(now + laterMs),
  };
}

describe('TickWatch', () => {
  it('finds nothing while ticks come in time', () => {
    const { ticks, hasLostTime } = setUp();
    ticks(50, TICK_MS);
    expect(hasLostTime(TICK_MS)).toBe(false);
  });

  it('notices a stall before the next tick does, and once', () => {
    const { ticks, hasLostTime } = setUp();
    ticks(50, TICK_MS);
    expect(hasLostTime(3 * TICK_MS)).toBe(true);
    expect(hasLostTime(3 * TICK_MS)).toBe(false);
    ticks(1, TICK_MS);
    expect(hasLostTime(3 * TICK_MS)).toBe(false);
  });

  it('adds up ticks that are each a little late', () => {
    const { ticks, hasLostTime } = setUp();
    ticks(20, 1.3 * TICK_MS);
    expect(hasLostTime(0)).toBe(true);
  });
});
