import { boundsOf } from './bounds.ts';
import { FirstFit } from './first-fit.ts';
import { QuoratePolicy } from './quorate-policy.ts';
import { run } from './run.ts';
import type { Scenario } from './scenario.ts';
import type { Comparison } from './table.ts';
import { drawWorkload, type Sizing } from './workload.ts';

/** Plays one scenario against Quorate, once for each strategy, and against first-in-first-out first-fit. @throws Violation */
export function compare(scenario: Scenario, sizing: Sizing, tell: (text: string) => void = () => {}): Comparison {
  const workload = drawWorkload(scenario, sizing);
  const policies = [
    ...scenario.strategies.map((strategy) => () => new QuoratePolicy(workload, { strategy })),
    () => new FirstFit(workload, 'blocking'),
    () => new FirstFit(workload, 'passing'),
  ];
  const outcomes = policies.map((make) => {
    const policy = make();
    tell(`${scenario.name}: ${policy.name}`);
    return run(workload, policy);
  });
  return { workload, bounds: boundsOf(workload), outcomes };
}
