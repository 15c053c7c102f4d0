import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../src/limits.ts';
import { planOf } from '../../../src/jobs/plan.ts';
import { START } from '../builders.ts';

describe('planOf', () => {
  it('fills in what the spec leaves out', () => {
    expect(planOf({ command: ['x'] })).toEqual({
      project: 'default',
      queue: 'default',
      priority: 50,
      demand: { cpuMilli: 1000, memoryBytes: 0, gpu: 0, diskBytes: 0, custom: {} },
      constraints: [],
      timeoutMs: null,
      idleTimeoutMs: null,
      queueTimeoutMs: null,
      notBefore: null,
      retentionMs: LIMITS.retentionMs,
      dependsOn: [],
      group: null,
      parent: null,
      withParent: 'cancelled',
      resourceGroup: null,
      retry: {
        max: 0,
        on: ['failed', 'timedOut'],
        exitCodes: null,
        lostMax: 3,
        backoff: { initialMs: 1000, factor: 2, maxMs: 60_000 },
      },
    });
  });

  it('turns text into numbers', () => {
    const spec = {
      command: ['x'],
      timeout: '10m',
      queueTimeout: '1h',
      notBefore: new Date(START).toISOString(),
      constraints: ['os == linux'],
      retry: {
        max: 2,
        on: ['failed' as const],
        exitCodes: [75],
        lostMax: 1,
        backoff: { initial: '5s', factor: 3, max: '1m' },
      },
    };
    expect(planOf(spec)).toMatchObject({
      timeoutMs: 600_000,
      queueTimeoutMs: 3_600_000,
      notBefore: START,
      constraints: [{ label: 'os', operator: 'in', values: ['linux'] }],
      retry: {
        max: 2,
        on: ['failed'],
        exitCodes: [75],
        lostMax: 1,
        backoff: { initialMs: 5000, factor: 3, maxMs: 60_000 },
      },
    });
  });

  it('tries nothing twice with retry never', () => {
    expect(planOf({ command: ['x'], retry: 'never' }).retry).toMatchObject({ max: 0, lostMax: 0 });
  });
});
