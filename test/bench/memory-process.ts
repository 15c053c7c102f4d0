import type { MemoryPlan, MemorySample } from './memory.ts';
import { DelayWatch } from './event-loop-delay.ts';
import { openReplica } from './open-replica.ts';
import { PlayedLeader } from './played-leader.ts';

/** A follower that applies as many entries as it is told to, and tells of its memory on the way. */
const plan = JSON.parse(process.argv[2] ?? '') as MemoryPlan;
const collectGarbage = globalThis.gc as () => void;
const delay = new DelayWatch();
const leader = new PlayedLeader();
const replica = await openReplica(plan.folder, leader.network, [leader.self, leader.follower]);

let last = { applied: 0, at: performance.now() };
const endsAt = performance.now() + plan.endsAfterMs;
for (let taken = 0; taken <= plan.samples && performance.now() < endsAt; taken += 1) {
  delay.restart();
  await leader.bringTo(Math.round((plan.entries / plan.samples) * taken), () => replica.applier.applied);
  process.send?.(sample());
}
await replica.close();
process.disconnect?.();

function sample(): MemorySample {
  const { applied } = replica.applier;
  const now = performance.now();
  const delayMs = delay.longestMs;
  const { rss } = process.memoryUsage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  const perSecond = ((applied - last.applied) / (now - last.at)) * 1000;
  last = { applied, at: performance.now() };
  const logEntries = replica.consensus.lastIndex - replica.consensus.firstIndex + 1;
  return { applied, perSecond, residentBytes: rss, heapBytes: heapUsed, outsideBytes: external, logEntries, delayMs };
}
