import fc from 'fast-check';
import type { Distribution } from '../../sim/scheduling/distribution.ts';
import { NO_FAULTS, type Owner, type Scenario, type SizeClass, type View } from '../../sim/scheduling/scenario.ts';
import { drawWorkload, type Workload } from '../../sim/scheduling/workload.ts';

/** Small workloads of all kinds, and those for which a promise has a bound. */

export const SLOTS = 4;
/** The longest time of one of the jobs that are alike. */
export const LONGEST_MS = 20_000;

const ALIKE: SizeClass = {
  name: 'small',
  part: 1,
  resources: { cpu: 1 },
  duration: { kind: 'lognormal', medianMs: 8_000, sigma: 0.8, mostMs: LONGEST_MS },
};
const ALL_AT_ONCE = { atOnce: 1, span: 1, burst: { probability: 0, jobs: 1 } };
const IN_BATCHES: View = {
  submissions: 'in batches',
  lagEntries: 0,
  gossipMs: 10_000,
  followOn: 'left to the leader',
};

const PLAIN: Scenario = {
  name: 'drawn',
  about: '',
  runners: [{ part: 1, resources: { cpu: SLOTS }, labels: {} }],
  sizes: [ALIKE],
  owners: [{ queue: 'q', project: 'p', weight: 1, part: 1 }],
  arrivals: ALL_AT_ONCE,
  faults: NO_FAULTS,
  fanOut: null,
  strategies: ['spread'],
  view: IN_BATCHES,
};

const seed = fc.integer({ min: 1, max: 2 ** 30 });
const weight = fc.constantFrom(1, 2, 3, 10, 1000);

/** Queues of one project each, or projects of one queue: the two levels of sharing, one at a time. */
const owners: fc.Arbitrary<readonly Owner[]> = fc.oneof(
  fc
    .array(weight, { minLength: 2, maxLength: 4 })
    .map((weights) => weights.map((own, n) => ({ queue: `q${n}`, project: 'p', weight: own, part: 1 }))),
  fc
    .integer({ min: 2, max: 4 })
    .map((count) => Array.from({ length: count }, (_, n) => ({ queue: 'q', project: `p${n}`, weight: 1, part: 1 }))),
);

/** Jobs that are alike, all there from the start. */
export const alike: fc.Arbitrary<Workload> = fc
  .record({ owners, runners: fc.integer({ min: 1, max: 8 }), seed })
  .map(({ owners: drawn, ...size }) => drawWorkload({ ...PLAIN, owners: drawn }, { ...size, jobs: size.runners * 40 }));

/** The same, and the first one asks for several times as much as the others. */
export const oneBig: fc.Arbitrary<Workload> = fc
  .record({
    owners: fc.oneof(owners, fc.constant(PLAIN.owners)),
    runners: fc.integer({ min: 1, max: 8 }),
    cpu: fc.integer({ min: 2, max: SLOTS }),
    followOn: fc.constantFrom<View['followOn']>('proposed', 'left to the leader'),
    seed,
  })
  .map(({ owners: drawn, runners, cpu, followOn, seed: own }) => {
    const big = { ...ALIKE, name: 'big', part: 0, resources: { cpu } };
    const view = { ...IN_BATCHES, followOn };
    const scenario = { ...PLAIN, sizes: [ALIKE, big], owners: drawn, view };
    const workload = drawWorkload(scenario, { runners, jobs: runners * SLOTS * 30, seed: own });
    // Not among the first that find an empty cluster.
    workload.sizeOf[runners * SLOTS + 1] = 1;
    return workload;
  });

/** Jobs that are alike but for their priority; `later`: they come one by one. */
export const byPriority: fc.Arbitrary<Workload> = fc
  .record({ owners, runners: fc.integer({ min: 1, max: 6 }), arrivals: fc.constantFrom('now', 'later'), seed })
  .map(({ owners: drawn, runners, arrivals, seed: own }) => {
    const sizes = [10, 50, 90].map((priority) => ({ ...ALIKE, name: `${priority}`, priority }));
    const later = { ...ALL_AT_ONCE, atOnce: 0.5, span: 0.8 };
    const isLater = arrivals === 'later';
    const view = { ...IN_BATCHES, submissions: isLater ? 'one by one' : 'in batches' } as const;
    const scenario = { ...PLAIN, sizes, owners: drawn, view, arrivals: isLater ? later : ALL_AT_ONCE };
    return drawWorkload(scenario, { runners, jobs: runners * 30, seed: own });
  });

const duration: fc.Arbitrary<Distribution> = fc.constantFrom<Distribution>(
  { kind: 'fixed', ms: 5_000 },
  { kind: 'exponential', meanMs: 20_000, mostMs: 120_000 },
  { kind: 'pareto', leastMs: 2_000, alpha: 1.2, mostMs: 240_000 },
);

const sizes: fc.Arbitrary<readonly SizeClass[]> = fc.array(
  fc.record({
    name: fc.constant('any'),
    part: fc.integer({ min: 1, max: 5 }),
    priority: fc.constantFrom(40, 50),
    duration,
    resources: fc.record({
      cpu: fc.constantFrom(0.5, 1, 2, SLOTS),
      memory: fc.constantFrom('0', '1GiB', '6GiB'),
      gpu: fc.constantFrom(0, 0, 1),
      custom: fc.constantFrom<Record<string, number>>({}, { license: 1 }),
    }),
    constraints: fc.constantFrom<readonly string[]>([], ['pool == a'], ['pool != b']),
  }),
  { minLength: 1, maxLength: 4 },
);

const faults = fc.record({
  runnerMtbfMs: fc.constantFrom(null, 60_000, 600_000),
  lostAtOnce: fc.constantFrom(0, 0.5),
  leaseMs: fc.constant(10_000),
  downMs: fc.constantFrom(10_000, 30_000),
  failing: fc.constantFrom(0, 0.2),
  slowRunners: fc.constant({ part: 0.2, factor: 3 }),
  stragglers: fc.constant({ part: 0.1, factor: 3 }),
});

const view: fc.Arbitrary<View> = fc.record({
  submissions: fc.constantFrom<View['submissions']>('one by one', 'in batches'),
  lagEntries: fc.constantFrom(0, 1, 5),
  gossipMs: fc.constant(10_000),
  followOn: fc.constantFrom<View['followOn']>('proposed', 'left to the leader'),
});

const RUNNERS: Scenario['runners'] = [
  {
    part: 2,
    resources: { cpu: SLOTS, memory: '8GiB', gpu: 1, custom: { license: 2 } },
    labels: { pool: 'a' },
  },
  { part: 1, resources: { cpu: 2 * SLOTS, memory: '16GiB' }, labels: { pool: 'b' } },
];

/** Everything at once. Each job fits on the runners of the first kind. */
export const anything: fc.Arbitrary<Workload> = fc
  .record({
    sizes,
    owners,
    faults,
    view,
    strategies: fc.constantFrom<Scenario['strategies']>(['spread'], ['pack']),
    fanOut: fc.constantFrom<Scenario['fanOut']>(null, { part: 0.3, children: 5 }),
    arrivals: fc.record({
      atOnce: fc.constantFrom(0, 0.5),
      span: fc.constantFrom(0.3, 1),
      burst: fc.constant({ probability: 0.1, jobs: 10 }),
    }),
    runners: fc.integer({ min: 1, max: 20 }),
    seed,
  })
  .map(({ runners, seed: own, ...drawn }) =>
    drawWorkload({ ...PLAIN, ...drawn, runners: RUNNERS }, { runners, jobs: runners * 12 + 10, seed: own }),
  );
