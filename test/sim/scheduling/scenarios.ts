import { NO_FAULTS, type Owner, type RunnerKind, type Scenario, type SizeClass, type View } from './scenario.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const MACHINE: RunnerKind = {
  part: 1,
  resources: { cpu: 16, memory: '64GiB', disk: '1TiB' },
  labels: { pool: 'plain' },
};
/** Of the mixed cluster: seven of ten plain, two large, one with graphics cards. */
const MIXED_RUNNERS: readonly RunnerKind[] = [
  { part: 7, resources: { cpu: 8, memory: '32GiB', disk: '1TiB' }, labels: { pool: 'plain' } },
  {
    part: 2,
    resources: { cpu: 32, memory: '128GiB', disk: '4TiB', custom: { license: 4 } },
    labels: { pool: 'large' },
  },
  { part: 1, resources: { cpu: 16, memory: '64GiB', disk: '2TiB', gpu: 4 }, labels: { pool: 'gpu' } },
];

const ONE: Owner = { queue: 'default', project: 'default', weight: 1, part: 1 };
const TWO: readonly Owner[] = [
  { queue: 'default', project: 'a', weight: 1, part: 1 },
  { queue: 'default', project: 'b', weight: 1, part: 1 },
];
const OWN_VIEW: View = {
  submissions: 'one by one',
  lagEntries: 0,
  gossipMs: 10_000,
  followOn: 'left to the leader',
};

const SMALL: SizeClass = {
  name: 'small',
  part: 1,
  resources: { cpu: 1 },
  duration: { kind: 'exponential', meanMs: MINUTE, mostMs: 10 * MINUTE },
};
const WHOLE: SizeClass = {
  name: 'whole machine',
  part: 0.01,
  resources: { cpu: 16, memory: '32GiB' },
  duration: { kind: 'lognormal', medianMs: 2 * MINUTE, sigma: 0.5, mostMs: 10 * MINUTE },
};

/** As a CI system and a test scheduler send them: most are short and small, few are long, large or picky. */
const MIXED_SIZES: readonly SizeClass[] = [
  {
    name: 'tiny',
    part: 50,
    resources: { cpu: 0.5, memory: '512MiB' },
    duration: { kind: 'lognormal', medianMs: 10_000, sigma: 1.2, mostMs: 10 * MINUTE },
  },
  {
    name: 'medium',
    part: 30,
    resources: { cpu: 2, memory: '4GiB' },
    duration: { kind: 'lognormal', medianMs: 40_000, sigma: 1, mostMs: 10 * MINUTE },
  },
  {
    name: 'memory',
    part: 10,
    resources: { cpu: 1, memory: '16GiB', disk: '50GiB' },
    duration: { kind: 'pareto', leastMs: 20_000, alpha: 1.5, mostMs: 10 * MINUTE },
  },
  {
    name: 'urgent',
    part: 4,
    resources: { cpu: 1, memory: '1GiB' },
    priority: 80,
    duration: { kind: 'exponential', meanMs: 15_000, mostMs: 5 * MINUTE },
  },
  {
    name: 'gpu',
    part: 2,
    resources: { cpu: 4, memory: '16GiB', gpu: 1 },
    constraints: ['pool == gpu'],
    duration: { kind: 'lognormal', medianMs: 90_000, sigma: 0.8, mostMs: 10 * MINUTE },
  },
  {
    name: 'license',
    part: 2,
    resources: { cpu: 4, memory: '8GiB', custom: { license: 1 } },
    duration: { kind: 'pareto', leastMs: 30_000, alpha: 1.8, mostMs: 10 * MINUTE },
  },
  {
    name: 'big',
    part: 1,
    resources: { cpu: 30, memory: '100GiB' },
    duration: { kind: 'lognormal', medianMs: 2 * MINUTE, sigma: 0.7, mostMs: 10 * MINUTE },
  },
];

const MIXED_OWNERS: readonly Owner[] = [
  { queue: 'ci', project: 'web', weight: 3, part: 3 },
  { queue: 'ci', project: 'core', weight: 3, part: 3 },
  { queue: 'tests', project: 'nightly', weight: 2, part: 3 },
  { queue: 'batch', project: 'research', weight: 1, part: 2 },
  { queue: 'batch', project: 'reports', weight: 1, part: 1 },
];

const ARRIVALS = { atOnce: 0.2, span: 0.8, burst: { probability: 0.02, jobs: 200 } };

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'uniform',
    about: 'small jobs, all alike, exponential times',
    runners: [MACHINE],
    sizes: [SMALL],
    owners: [ONE],
    arrivals: ARRIVALS,
    faults: NO_FAULTS,
    fanOut: null,
    strategies: ['spread'],
    view: OWN_VIEW,
  },
  {
    name: 'mixed',
    about: 'seven sizes with heavy tails, five projects, bursts, children, failures, stragglers, lost runners',
    runners: MIXED_RUNNERS,
    sizes: MIXED_SIZES,
    owners: MIXED_OWNERS,
    arrivals: ARRIVALS,
    faults: {
      ...NO_FAULTS,
      runnerMtbfMs: 6 * HOUR,
      failing: 0.05,
      slowRunners: { part: 0.05, factor: 2 },
      stragglers: { part: 0.01, factor: 2 },
    },
    fanOut: { part: 0.1, children: 20 },
    strategies: ['spread'],
    view: OWN_VIEW,
  },
  {
    name: 'weights',
    about: 'two projects whose queues weigh 3 and 1; all jobs are there from the start',
    runners: [MACHINE],
    sizes: [SMALL],
    owners: [
      { queue: 'heavy', project: 'a', weight: 3, part: 1 },
      { queue: 'light', project: 'b', weight: 1, part: 1 },
    ],
    arrivals: { ...ARRIVALS, atOnce: 1 },
    faults: NO_FAULTS,
    fanOut: null,
    strategies: ['spread'],
    view: { ...OWN_VIEW, submissions: 'in batches' },
  },
  {
    name: 'big-among-small',
    about: 'one job in a hundred asks for a whole machine; two projects',
    runners: [MACHINE],
    sizes: [SMALL, WHOLE],
    owners: TWO,
    arrivals: { ...ARRIVALS, span: 1 },
    faults: NO_FAULTS,
    fanOut: null,
    strategies: ['spread'],
    view: OWN_VIEW,
  },
  {
    name: 'losses',
    about: 'a third of the machines vanish at once and come back; the others now and then',
    runners: [MACHINE],
    sizes: [SMALL, { ...SMALL, name: 'medium', part: 0.3, resources: { cpu: 4 } }],
    owners: [ONE],
    arrivals: ARRIVALS,
    faults: { ...NO_FAULTS, runnerMtbfMs: HOUR, lostAtOnce: 1 / 3 },
    fanOut: null,
    strategies: ['spread'],
    view: OWN_VIEW,
  },
  {
    name: 'pack-or-spread',
    about: 'jobs for a whole machine among small ones, at two thirds of the load',
    runners: [MACHINE],
    sizes: [SMALL, { ...WHOLE, part: 0.02 }],
    owners: [ONE],
    arrivals: { atOnce: 0, span: 1.5, burst: { probability: 0, jobs: 1 } },
    faults: NO_FAULTS,
    fanOut: null,
    strategies: ['spread', 'pack'],
    view: OWN_VIEW,
  },
  {
    name: 'stale-views',
    about: 'placed by the node that takes the job, whose state is three entries old',
    runners: [MACHINE],
    sizes: [SMALL, { ...SMALL, name: 'medium', part: 0.3, resources: { cpu: 4 } }],
    owners: [ONE],
    arrivals: { atOnce: 0, span: 1.15, burst: { probability: 0.01, jobs: 20 } },
    faults: NO_FAULTS,
    fanOut: null,
    strategies: ['spread'],
    view: { ...OWN_VIEW, lagEntries: 3, followOn: 'proposed' },
  },
];
