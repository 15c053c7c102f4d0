import { expect, it } from 'vitest';
import { GroupService } from '../../../node/service/group-service.ts';
import { JobWatch } from '../../../node/service/job-watch.ts';
import { createGroup, groupId, TestReplica } from '../../src/builders.ts';

function setUp(...made: readonly number[]) {
  const replica = TestReplica.founded();
  replica.local(...made.map((n) => createGroup(n)));
  const { state } = replica;
  const propose = () => Promise.reject(new Error('nothing is proposed'));
  return new GroupService({ replica: { state, propose, barrier: async () => {} }, watch: new JobWatch() });
}

it('lists each group once on pages of any size, also where clocks made a newer one the smaller id', async () => {
  const groups = setUp(1, 4, 3, 2, 5);
  for (const limit of [1, 2, 3, 5, 9]) {
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await groups.list({ limit, cursor }, 'stale');
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(ids).toEqual([5, 4, 3, 2, 1].map(groupId));
  }
});

it('begins a page where the last one ended when that group is forgotten by then', async () => {
  const groups = setUp(1, 2);
  expect((await groups.list({ limit: 5, cursor: groupId(3) }, 'stale')).items.map(({ id }) => id)).toEqual(
    [2, 1].map(groupId),
  );
});
