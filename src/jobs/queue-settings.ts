/** The most that may run at once, whatever is free; null: no limit. Running is every live attempt. */
export interface QueueLimits {
  readonly running: number | null;
  readonly cpuMilli: number | null;
  readonly memoryBytes: number | null;
}

/** How the jobs of one queue are scheduled. */
export interface QueueSettings {
  /** Of two queues with jobs of one priority, one with twice the weight comes to run twice as much. */
  readonly weight: number;
  /** `paused`: what is queued there stays so. */
  readonly state: 'open' | 'paused';
  /** Whether the runner with the smallest part taken is preferred, or the one with the largest. */
  readonly strategy: 'spread' | 'pack';
  /** Whether its jobs may be stopped, and queued again, to make room for jobs of higher priority of any queue. */
  readonly preemption: 'off' | 'requeue';
  /** Of all its jobs together. */
  readonly limits: QueueLimits;
  /** Of the jobs of each project in it. */
  readonly projectLimits: QueueLimits;
}

/** What is left out stays as it is. */
export interface QueueChange extends Partial<Omit<QueueSettings, 'limits' | 'projectLimits'>> {
  readonly limits?: Partial<QueueLimits>;
  readonly projectLimits?: Partial<QueueLimits>;
}

const UNLIMITED: QueueLimits = { running: null, cpuMilli: null, memoryBytes: null };

/** Of a queue that nobody has set anything for. */
export const DEFAULT_QUEUE: QueueSettings = {
  weight: 1,
  state: 'open',
  strategy: 'spread',
  preemption: 'off',
  limits: UNLIMITED,
  projectLimits: UNLIMITED,
};

export function changeQueue(settings: QueueSettings, change: QueueChange): QueueSettings {
  return {
    weight: change.weight ?? settings.weight,
    state: change.state ?? settings.state,
    strategy: change.strategy ?? settings.strategy,
    preemption: change.preemption ?? settings.preemption,
    limits: changeLimits(settings.limits, change.limits),
    projectLimits: changeLimits(settings.projectLimits, change.projectLimits),
  };
}

function changeLimits(limits: QueueLimits, change: Partial<QueueLimits> = {}): QueueLimits {
  const { running, cpuMilli, memoryBytes } = { ...limits, ...change };
  return { running, cpuMilli, memoryBytes };
}
