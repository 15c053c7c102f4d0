import { Gauge, type Registry } from 'prom-client';
import type { ClusterState } from '../../src/state/state.ts';

/** What schedules do, as this node's replica sees it: the same at every node. */
export function registerScheduleMetrics(registry: Registry, state: () => ClusterState): void {
  const registers = [registry];
  new Gauge({
    name: 'quorate_schedules',
    help: 'Schedules, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      const counts = { active: 0, paused: 0, over: 0 };
      for (const { timing } of state().schedules.values()) {
        counts[timing.state === 'paused' || timing.state === 'over' ? timing.state : 'active'] += 1;
      }
      for (const [name, count] of Object.entries(counts)) this.set({ state: name }, count);
    },
  });
  new Gauge({
    name: 'quorate_schedule_firings',
    help: 'Firings of the schedules that there are, by what became of them, since each was made.',
    labelNames: ['outcome'],
    registers,
    collect() {
      const sums = { fired: 0, skipped: 0, missed: 0, refused: 0 };
      for (const { counts } of state().schedules.values()) {
        sums.fired += counts.fired;
        sums.skipped += counts.skipped;
        sums.missed += counts.missed;
        sums.refused += counts.refused;
      }
      for (const [outcome, sum] of Object.entries(sums)) this.set({ outcome }, sum);
    },
  });
}
