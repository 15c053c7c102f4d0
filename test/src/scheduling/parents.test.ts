import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/scheduling/explain.ts';
import { isAllHeldByParents } from '../../../src/scheduling/parents.ts';
import { amounts, assign, ended, I1, I2, jobId, R1, R2, register, setQueue, submit, TestReplica } from '../builders.ts';

const child = (n: number, parent: number, cpu = 1) =>
  submit(n, { spec: { parent: jobId(parent), resources: { cpu } } });
const running = (n: number, cpu: number) => submit(n, { spec: { resources: { cpu } } });

/** Two runners with one processor each, and a parent on each. */
function withParents(cpu = 1): TestReplica {
  const replica = TestReplica.founded();
  replica.system(register(R1, I1, amounts({ cpuMilli: 1000 })), register(R2, I2, amounts({ cpuMilli: 1000 })));
  replica.local(running(1, cpu), running(2, cpu));
  replica.system(assign(1, 1, R1, I1), assign(2, 1, R2, I2));
  return replica;
}

describe('runners that are full of parents', () => {
  it('are told of by the job that finds no room, and by the cluster', () => {
    const replica = withParents();
    replica.local(child(3, 1));
    expect(explain(replica.state, jobId(3))).toMatchObject({
      fitting: 0,
      reasons: [
        { kind: 'resource', resource: 'cpuMilli', runners: 2 },
        { kind: 'parents', runners: 1 },
      ],
    });
    expect(isAllHeldByParents(replica.state)).toBe(false);
    replica.local(child(4, 2));
    expect(explain(replica.state, jobId(3))).toMatchObject({ reasons: [{}, { kind: 'parents', runners: 2 }] });
    expect(isAllHeldByParents(replica.state)).toBe(true);
  });

  it('are none while one of their jobs has no children, or a job that comes first finds room', () => {
    const replica = withParents(0.5);
    replica.local(child(3, 1), child(4, 2));
    expect(isAllHeldByParents(replica.state)).toBe(true);
    replica.local(child(5, 1, 0.5));
    expect(isAllHeldByParents(replica.state)).toBe(true);
    replica.system(assign(5, 1, R1, I1));
    expect(isAllHeldByParents(replica.state)).toBe(false);
    replica.system(ended(5, 1));
    replica.local(submit(6, { spec: { queue: 'other', resources: { cpu: 0.5 } } }));
    expect(isAllHeldByParents(replica.state)).toBe(false);
    replica.local(setQueue('other', { state: 'paused' }));
    expect(isAllHeldByParents(replica.state)).toBe(true);
  });

  it('are not those whose parents take nothing', () => {
    const replica = withParents(0);
    replica.local(child(3, 1, 2), child(4, 2, 2));
    expect(isAllHeldByParents(replica.state)).toBe(false);
    expect(explain(replica.state, jobId(3))).toMatchObject({ reasons: [{ kind: 'resource' }] });
  });
});
