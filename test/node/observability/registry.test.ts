import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createRegistry, delaySeconds } from '../../../node/observability/registry.ts';

const LONGEST = /^quorate_event_loop_delay_seconds\{quantile="1"\} (\S+)$/m;
const BLOCKED_MS = 60;

describe('the delay of the event loop', () => {
  const metrics = createRegistry();
  afterEach(() => metrics.stop());

  it('is told with the longest time for which the loop stood still', async () => {
    await sleep(20);
    const until = performance.now() + BLOCKED_MS;
    while (performance.now() < until);
    await sleep(20);
    const longest = Number(LONGEST.exec(await metrics.registry.metrics())?.[1]);
    expect(longest).toBeGreaterThan((BLOCKED_MS - 15) / 1000);
  });

  it('is none where the timer that measures came in time', () => {
    expect(delaySeconds(10e6)).toBe(0);
    expect(delaySeconds(35e6)).toBeCloseTo(0.025);
  });
});
