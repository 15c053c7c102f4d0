import { expect, it } from 'vitest';
import { MemberWatch } from '../../../node/leader/member-watch.ts';
import type { NodeId } from '../../../src/ids.ts';

const B = 'b' as NodeId;

function progress(liveness: 'alive' | 'silent') {
  const isAlive = liveness === 'alive';
  const peer = { peer: B, matchIndex: 1, nextIndex: 2, state: 'replicate', recentActive: isAlive, caughtUp: isAlive };
  return [peer] as unknown as Parameters<MemberWatch['review']>[0];
}

it('forgets a member that is none any more: under the same id it is watched anew', () => {
  const watch = new MemberWatch();
  watch.review(progress('alive'), 0);
  watch.review([], 1);
  expect(watch.heardMsAgo(B, 5)).toBe(null);
  watch.review(progress('silent'), 10);
  expect([watch.heardMsAgo(B, 15), watch.silentMs(B, 15)]).toEqual([null, 5]);
});
