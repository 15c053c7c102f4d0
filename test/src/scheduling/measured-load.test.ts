import { describe, expect, it } from 'vitest';
import type { NodeId } from '../../../src/ids.ts';
import { loadBeyondJobs } from '../../../src/scheduling/measured-load.ts';
import { schedule } from '../../../src/scheduling/place.ts';
import { amounts, assign, I1, R1, R2, register, setQueue, submit, TestReplica } from '../builders.ts';

const GIB = 2 ** 30;

/** Four processors and 8 GiB, of which jobs have taken so many. */
function taken(cpu: number, gib = 0) {
  const replica = TestReplica.withRunner();
  replica.local(submit(1, { spec: { resources: { cpu, memory: gib * GIB } } }));
  replica.system(assign(1, 1));
  return replica.state.allocations.get(R1);
}

const measured = (load1: number, some = {}) => ({ load1, memoryFree: 8 * GIB, processors: 4, ...some });

describe('what a machine measures', () => {
  it('counts where it is busy with more than the jobs that the state knows of', () => {
    expect(loadBeyondJobs(measured(0), taken(0))).toBe(0);
    expect(loadBeyondJobs(measured(2), taken(0))).toBe(0.25);
    expect(loadBeyondJobs(measured(9), taken(0))).toBe(0.5);
    expect(loadBeyondJobs(measured(2), taken(2))).toBe(0);
    expect(loadBeyondJobs(measured(3), taken(2))).toBe(0.125);
  });

  it('counts the memory that is missing, where more of it is than of processors', () => {
    expect(loadBeyondJobs(measured(0, { memoryFree: 2 * GIB }), taken(0))).toBe(0.375);
    expect(loadBeyondJobs(measured(0, { memoryFree: 2 * GIB }), taken(0, 6))).toBe(0);
  });

  it('is read against the processors of the machine, of which the runner may have a part', () => {
    expect(loadBeyondJobs(measured(9, { processors: 64 }), taken(0))).toBe(0);
    expect(loadBeyondJobs(measured(2, { processors: null }), taken(0))).toBe(0.25);
  });

  it('is nothing where a little is missing, or nothing is known', () => {
    expect(loadBeyondJobs(measured(0.9), taken(0))).toBe(0);
    expect(loadBeyondJobs(null, taken(0))).toBe(0);
    expect(loadBeyondJobs(measured(9), undefined)).toBe(0);
  });
});

describe('the scheduler', () => {
  function placed(strategy: 'spread' | 'pack', load: (runner: NodeId) => number, jobs: number): number {
    const replica = TestReplica.withRunner();
    replica.system(register(R2, I1, amounts()));
    replica.local(setQueue('default', { strategy }), ...Array.from({ length: jobs }, (_, n) => submit(n + 1)));
    const commands = schedule(replica.state, { limit: 100, random: () => 0.5, load });
    expect(commands).toHaveLength(jobs);
    return commands.filter(({ placement }) => placement.runner === R2).length;
  }
  const busy = (runner: NodeId) => (runner === R1 ? 0.5 : 0);

  it.each(['spread', 'pack'] as const)('prefers the machine that is not busy with other things: %s', (strategy) => {
    expect(placed(strategy, busy, 1)).toBe(1);
  });

  it('fills a busy one less, and still fills it', () => {
    expect(placed('spread', busy, 4)).toBe(3);
    expect(placed('spread', () => 0, 4)).toBe(2);
    expect(placed('spread', busy, 8)).toBe(4);
  });
});
