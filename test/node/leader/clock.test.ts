import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { Clock } from '../../../node/leader/clock.ts';
import { Fault } from '../../../src/errors.ts';
import { ClusterState } from '../../../src/state/state.ts';

const open: Clock[] = [];
afterEach(() => {
  for (const clock of open.splice(0)) clock.stop();
});

function setUp(behaviour: { propose: () => Promise<never[]> }) {
  const state = new ClusterState();
  let proposals = 0;
  const propose = (): Promise<never[]> => {
    proposals += 1;
    return behaviour.propose();
  };
  const clock = new Clock({ state, propose }, pino({ level: 'silent' }));
  open.push(clock);
  state.due.set({ kind: 'job', key: 'j', at: Date.now() - 1 });
  return { clock, proposals: () => proposals };
}

describe('Clock', () => {
  it('proposes once for what is due, until it is taken', async () => {
    const { clock, proposals } = setUp({ propose: () => new Promise(() => undefined) });
    clock.start();
    await expect.poll(proposals).toBe(1);
    clock.review();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(proposals()).toBe(1);
  });

  it('waits before it proposes again what was refused at once', async () => {
    const { clock, proposals } = setUp({ propose: () => Promise.reject(new Fault('overloaded', 'too much')) });
    clock.start();
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(proposals()).toBeGreaterThan(1);
    expect(proposals()).toBeLessThan(6);
  });
});
