import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { registerScheduleMetrics } from '../../../node/service/schedule-metrics.ts';
import { createSchedule, fireSchedule, planSchedule, START, TestReplica } from '../../src/builders.ts';

it('schedules are counted by state, and their firings by outcome, as long as they are there', async () => {
  const replica = TestReplica.founded();
  const registry = new Registry();
  registerScheduleMetrics(registry, () => replica.state);
  replica.local(createSchedule('a'), createSchedule('b'), createSchedule('c', { mode: 'paused' }));
  replica.system(planSchedule(replica.schedule('a'), START + 1), planSchedule(replica.schedule('b'), null));
  replica.at += 10;
  const missed = { count: 4, of: 'exact' } as const;
  replica.system(fireSchedule(replica.schedule('a'), 1, { latest: START + 5, missed }));
  const text = await registry.metrics();
  for (const line of ['schedules{state="active"} 1', 'schedules{state="paused"} 1', 'schedules{state="over"} 1']) {
    expect(text).toContain(`quorate_${line}`);
  }
  expect(text).toContain('quorate_schedule_firings{outcome="fired"} 1');
  expect(text).toContain('quorate_schedule_firings{outcome="missed"} 4');
  replica.local({ kind: 'deleteSchedule', name: 'a' });
  expect(await registry.metrics()).toContain('quorate_schedule_firings{outcome="missed"} 0');
});
