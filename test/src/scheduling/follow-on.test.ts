import { describe, expect, it } from 'vitest';
import { followOn } from '../../../src/scheduling/follow-on.ts';
import {
  assign,
  assignBehind,
  cancel,
  ended,
  I1,
  jobId,
  R1,
  R2,
  register,
  setQueue,
  started,
  submit,
  TestReplica,
} from '../builders.ts';

const HALF = { resources: { cpu: 2 } };
const PLAIN = { random: () => 0, ahead: 'none' } as const;

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
    expect(followOn(state, R1, [jobId(1)], PLAIN)).toEqual([assign(3, 1)]);
    expect(followOn(state, R1, [jobId(1), jobId(2)], PLAIN)).toEqual([assign(3, 1), assign(4, 1)]);
  });

  it('is taken by apply behind the end, in the same entry', () => {
    const replica = busy(1);
    const results = replica.system(ended(1, 1), ...followOn(replica.state, R1, [jobId(1)], PLAIN));
    expect(results).toEqual([{ ok: true }, { ok: true }].map((result) => expect.objectContaining(result)));
    expect(replica.job(3)).toMatchObject({ state: 'assigned', current: { runner: R1, incarnation: I1 } });
  });

  it('places nothing that needs more room than the end frees', () => {
    const replica = busy(0);
    replica.local(submit(3, { spec: { resources: { cpu: 3 } } }));
    expect(followOn(replica.state, R1, [jobId(1)], PLAIN)).toEqual([]);
  });

  it('counts the room of a job once, and that of a job elsewhere not at all', () => {
    const replica = busy(3);
    replica.system(register(R2, I1));
    expect(followOn(replica.state, R2, [jobId(1)], PLAIN)).toHaveLength(1);
    expect(followOn(replica.state, R1, [jobId(1), jobId(1)], PLAIN)).toEqual([assign(3, 1)]);
  });

  it('has nothing to place while nobody waits, or for a runner that is not known', () => {
    expect(followOn(busy(0).state, R1, [jobId(1)], PLAIN)).toEqual([]);
    expect(followOn(busy(1).state, R2, [jobId(1)], PLAIN)).toEqual([]);
  });

  describe('ahead', () => {
    const AHEAD = { random: () => 0, ahead: 'some' } as const;
    const placed = (replica: TestReplica) => followOn(replica.state, R1, [jobId(1)], AHEAD);

    it('puts jobs behind what has room, the shortest line first, as far as apply takes them', () => {
      const replica = busy(20);
      const commands = placed(replica);
      expect(commands.slice(0, 3)).toEqual([assign(3, 1), assignBehind(4, 2), assignBehind(5, 3)]);
      expect(commands).toHaveLength(1 + 2 * 6);
      const results = replica.system(ended(1, 1), ...commands);
      expect(results.every(({ ok }) => ok)).toBe(true);
      expect(replica.state.queue.size).toBe(7);
    });

    it('fills lines up again when some of them have ended', () => {
      const replica = busy(30);
      replica.system(ended(1, 1), ...placed(replica));
      const commands = followOn(replica.state, R1, [jobId(2), jobId(4), jobId(3)], AHEAD);
      expect(replica.system(ended(3, 1), ended(4, 1), ended(2, 1), ...commands).every(({ ok }) => ok)).toBe(true);
      expect(commands).toHaveLength(3);
      expect(commands.every(({ behind }) => behind !== undefined)).toBe(true);
    });

    it('puts nobody behind one that is known to run, or that is to be stopped', () => {
      const replica = busy(20);
      replica.system(started(2, 1));
      expect(placed(replica).some(({ behind }) => behind === jobId(2))).toBe(false);
      const other = busy(20);
      other.local(cancel(2));
      expect(placed(other).some(({ behind }) => behind === jobId(2))).toBe(false);
    });

    it('puts nobody behind one whose inputs have to come first', () => {
      const inputs = { rootDigest: `sha256:${'ab'.repeat(32)}` };
      for (const [spec, expected] of [
        [HALF, true],
        [{ ...HALF, inputs }, false],
      ] as const) {
        const replica = TestReplica.withRunner();
        replica.local(submit(1, { spec: HALF }), submit(2, { spec }));
        for (let n = 3; n <= 20; n += 1) replica.local(submit(n, { spec: HALF }));
        replica.system(assign(1, 1), assign(2, 1));
        expect(placed(replica).some(({ behind }) => behind === jobId(2))).toBe(expected);
      }
    });

    it('puts nobody behind one that has less room', () => {
      const replica = busy(0);
      replica.local(submit(3, { spec: { resources: { cpu: 3 } } }), submit(4, { spec: { resources: { cpu: 1 } } }));
      replica.local(submit(5, { spec: HALF }));
      expect(placed(replica)).toEqual([assign(4, 1), assignBehind(5, 2)]);
    });

    it('keeps to the limits of queues', () => {
      const replica = busy(20);
      replica.local(setQueue('default', { limits: { running: 3, cpuMilli: null, memoryBytes: null } }));
      expect(placed(replica)).toEqual([assign(3, 1), assignBehind(4, 2)]);
    });
  });
});
