import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../../../src/state/invariants.ts';
import { ClusterState, finishLoading, loadRecord } from '../../../src/state/state.ts';
import { I1, picture, R1, submit, TestReplica } from '../builders.ts';

const LATER = '2031-01-01T00:00:00Z';

function withJobsOfAllKinds(): TestReplica {
  const replica = TestReplica.withRunner();
  replica.local(submit(1, { placement: { runner: R1, incarnation: I1 } }));
  replica.local(submit(2), submit(3, { spec: { notBefore: LATER } }));
  replica.local(submit(4, { idempotency: { key: 'key', bodyHash: 'hash' } }));
  return replica;
}

describe('loading the state', () => {
  it('derives what belongs to jobs that wait as they come, so that the end is short however many they are', () => {
    const state = new ClusterState();
    for (const record of withJobsOfAllKinds().disk.values()) loadRecord(state, record);
    expect(state.counts).toEqual({ waiting: 1, queued: 2, assigned: 0, running: 0 });
    expect([state.queue.size, state.due.size]).toEqual([2, 2]);
  });

  it('gives back what was derived, in whichever order the records come', () => {
    const replica = withJobsOfAllKinds();
    for (const records of [[...replica.disk.values()], [...replica.disk.values()].toReversed()]) {
      const state = new ClusterState();
      for (const record of records) loadRecord(state, record);
      finishLoading(state);
      checkInvariants(state);
      expect(picture(state)).toEqual(picture(replica.state));
    }
  });
});
