import { describe, expect, it } from 'vitest';
import { followOn } from '../../../src/scheduling/follow-on.ts';
import { assign, ended, I1, jobId, R1, R2, register, submit, TestReplica } from '../builders.ts';

const HALF = { resources: { cpu: 2 } };
const random = () => 0;

/** A runner of four processors that runs jobs 1 and 2; the jobs from 3 on wait. */
function busy(waiting: number): TestReplica {
  const replica = TestReplica.withRunner();
  for (let n = 1; n <= 2 + waiting; n += 1) replica.local(submit(n, { spec: HALF }));
  replica.system(assign(1, 1), assign(2, 1));
  return replica;
}

describe('followOn', () => {
  it('places the next in order in the room of those that end, one each', () => {
    const { state } = busy(3);
    expect(followOn(state, R1, [jobId(1)], random)).toEqual([assign(3, 1)]);
    expect(followOn(state, R1, [jobId(1), jobId(2)], random)).toEqual([assign(3, 1), assign(4, 1)]);
  });

  it('is taken by apply behind the end, in the same entry', () => {
    const replica = busy(1);
    const results = replica.system(ended(1, 1), ...followOn(replica.state, R1, [jobId(1)], random));
    expect(results).toEqual([{ ok: true }, { ok: true }].map((result) => expect.objectContaining(result)));
    expect(replica.job(3)).toMatchObject({ state: 'assigned', current: { runner: R1, incarnation: I1 } });
  });

  it('places nothing that needs more room than the end frees', () => {
    const replica = busy(0);
    replica.local(submit(3, { spec: { resources: { cpu: 3 } } }));
    expect(followOn(replica.state, R1, [jobId(1)], random)).toEqual([]);
  });

  it('counts the room of a job once, and that of a job elsewhere not at all', () => {
    const replica = busy(3);
    replica.system(register(R2, I1));
    expect(followOn(replica.state, R2, [jobId(1)], random)).toHaveLength(1);
    expect(followOn(replica.state, R1, [jobId(1), jobId(1)], random)).toEqual([assign(3, 1)]);
  });

  it('has nothing to place while nobody waits, or for a runner that is not known', () => {
    expect(followOn(busy(0).state, R1, [jobId(1)], random)).toEqual([]);
    expect(followOn(busy(1).state, R2, [jobId(1)], random)).toEqual([]);
  });
});
