import { expect, test } from 'vitest';
import { Chaos } from './support/chaos.ts';

const STEPS = 6000;
/** SEED=17 replays one run. */
const SEEDS =
  process.env['SEED'] === undefined ? Array.from({ length: 30 }, (_, seed) => seed) : [Number(process.env['SEED'])];

test.each(SEEDS)('under drops, reordering, crashes and changes nothing acknowledged is lost (SEED=%d)', (seed) => {
  const chaos = new Chaos({ seed, steps: STEPS, raft: { reads: seed % 3 === 0 ? 'lease' : 'readIndex' } });
  chaos.run();
  chaos.cluster.run(20);
  expect(chaos.cluster.invariants.committedCount).toBeGreaterThan(5);
  for (const member of chaos.holders()) {
    const held = new Set(chaos.cluster.appliedBy(member.id).map((text) => text.replace(/\.*$/, '')));
    const lost = [...chaos.acknowledged].filter((text) => !held.has(text));
    expect(lost, `lost by ${member.id}; replay with SEED=${seed}`).toEqual([]);
  }
});
