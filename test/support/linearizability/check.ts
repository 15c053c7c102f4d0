import type { History, Model, Operation } from './history.ts';
import { search, type Budget, type Stuck } from './search.ts';

export interface CheckOptions {
  /** Of the model, over all partitions. */
  readonly maxSteps?: number;
  readonly maxMs?: number;
  /** In milliseconds. */
  readonly now?: () => number;
}

export type Verdict<State, Input, Output> =
  | { readonly kind: 'linearizable'; readonly partitions: number; readonly steps: number }
  | { readonly kind: 'violation'; readonly partition: string; readonly stuck: Stuck<State, Input, Output> }
  /** The budget was spent first: this says nothing, and is no success. */
  | { readonly kind: 'unknown'; readonly undecided: readonly string[]; readonly steps: number };

const MAX_STEPS = 20_000_000;
const MAX_MS = 60_000;
const STEPS_BETWEEN_LOOKS = 1_024;

/** Whether some order of the operations, each between its call and its return, explains all that clients were told. */
export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  options: CheckOptions = {},
): Verdict<State, Input, Output> {
  const budget = new StepBudget(options);
  const partitions = partitionsOf(model, history);
  const undecided: string[] = [];
  for (const [partition, operations] of smallestFirst(partitions)) {
    const result = search(model, operations, budget);
    if (result.kind === 'none') return { kind: 'violation', partition, stuck: result.stuck };
    if (result.kind === 'budgetSpent') undecided.push(partition);
  }
  if (undecided.length > 0) return { kind: 'unknown', undecided, steps: budget.steps };
  return { kind: 'linearizable', partitions: partitions.size, steps: budget.steps };
}

function partitionsOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
): ReadonlyMap<string, readonly Operation<Input, Output>[]> {
  return Map.groupBy(history, (operation) => model.partition?.(operation.input) ?? '');
}

/** So that one that cannot be decided leaves budget to the others. */
function smallestFirst<Entry extends readonly [string, readonly unknown[]]>(partitions: Iterable<Entry>) {
  return [...partitions].sort(([, a], [, b]) => a.length - b.length);
}

class StepBudget implements Budget {
  steps = 0;
  readonly #maxSteps: number;
  readonly #deadline: number;
  readonly #now: () => number;
  #late = false;

  constructor({ maxSteps = MAX_STEPS, maxMs = MAX_MS, now = () => performance.now() }: CheckOptions) {
    this.#maxSteps = maxSteps;
    this.#now = now;
    this.#deadline = now() + maxMs;
  }

  spend(): boolean {
    if (this.#late || this.steps >= this.#maxSteps) return false;
    this.steps += 1;
    if (this.steps % STEPS_BETWEEN_LOOKS === 0) this.#late = this.#now() > this.#deadline;
    return !this.#late;
  }
}
