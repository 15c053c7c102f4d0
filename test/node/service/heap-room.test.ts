import { describe, expect, it } from 'vitest';
import { HeapRoom, heapShare, type HeapUse } from '../../../node/service/heap-room.ts';
import { JobService } from '../../../node/service/job-service.ts';
import type { JobStore } from '../../../node/service/job-store.ts';
import { JobWatch } from '../../../node/service/job-watch.ts';
import type { Replica } from '../../../node/replica/replica.ts';
import type { NodeId } from '../../../src/ids.ts';

const HERE: HeapUse = { node: 'here' as NodeId, share: 0.2 };
const FULL: HeapUse = { node: 'small' as NodeId, share: 0.86 };

describe('room for further jobs', () => {
  it('is there until one node has used most of what it may', () => {
    expect(() => new HeapRoom(() => [HERE, { ...FULL, share: 0.84 }]).expectRoom()).not.toThrow();
    expect(() => new HeapRoom(() => [HERE, FULL]).expectRoom()).toThrow(
      expect.objectContaining({ code: 'overloaded', message: expect.stringContaining('the node small uses 86 %') }),
    );
  });

  it('is asked for before anything is proposed', async () => {
    const replica = { propose: () => expect.unreachable() } as unknown as Replica;
    const room = new HeapRoom(() => [FULL]);
    const jobs = new JobService({ replica, jobs: {} as JobStore, watch: new JobWatch(), room, loadOf: () => 0 });
    const identity = { principal: { id: 'local', token: null, kind: 'local' as const }, scopes: ['admin' as const] };
    const submission = jobs.submit(identity, [{ spec: { command: ['true'] }, idempotency: null }]);
    await expect(submission).rejects.toMatchObject({ code: 'overloaded' });
  });

  it('is measured as a part of what the process may use', () => {
    expect(heapShare()).toBeGreaterThan(0);
    expect(heapShare()).toBeLessThan(1);
  });
});
