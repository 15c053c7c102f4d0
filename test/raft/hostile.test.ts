import { expect, test } from 'vitest';
import { Hostile } from './support/hostile.ts';

const SEEDS = 500;
const STEPS = 200;

test('whatever arrives, a step throws nothing, and what was committed stays', () => {
  const seen = { leaderships: 0, truncations: 0, snapshots: 0, committed: 0, dropped: 0 };
  for (let seed = 0; seed < SEEDS; seed += 1) {
    const hostile = new Hostile(seed);
    let commit = 0;
    for (let step = 0; step < STEPS; step += 1) {
      const effects = hostile.step();
      const { commitIndex } = hostile.raft;
      if (commitIndex < commit)
        expect.fail(`seed ${seed}, step ${step}: the commit went from ${commit} to ${commitIndex}`);
      commit = commitIndex;
      if (effects.roleChange?.role === 'leader') seen.leaderships += 1;
      if (effects.persist.some(({ truncateFrom }) => truncateFrom !== null)) seen.truncations += 1;
      if (effects.restore !== null) seen.snapshots += 1;
      seen.committed += effects.committed.length;
    }
    seen.dropped += hostile.raft.status().droppedMessages;
  }
  // The lies were good enough to be believed now and then.
  for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(10);
});
