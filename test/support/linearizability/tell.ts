import type { Verdict } from './check.ts';
import type { Model, Operation } from './history.ts';
import type { Stuck } from './search.ts';

/** Of an account; what led to the end is what matters. */
const LAST_SHOWN = 20;

/** For people: what can have happened in which order, and which answer nothing explains. */
export function tellVerdict<State, Input, Output>(
  model: Model<State, Input, Output>,
  verdict: Verdict<State, Input, Output>,
): string {
  switch (verdict.kind) {
    case 'linearizable':
      return `linearizable: ${verdict.partitions} partitions, ${verdict.steps} steps`;
    case 'unknown':
      return `undecided after ${verdict.steps} steps: ${verdict.undecided.length} partitions, the first "${verdict.undecided[0]}"`;
    case 'violation':
      return tellStuck(model, verdict.partition, verdict.stuck);
  }
}

/** @throws Error with the account, unless the history was decided and is linearizable */
export function expectLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  verdict: Verdict<State, Input, Output>,
): void {
  if (verdict.kind !== 'linearizable') throw new Error(tellVerdict(model, verdict));
}

function tellStuck<State, Input, Output>(
  model: Model<State, Input, Output>,
  partition: string,
  { order, unexplained, pending }: Stuck<State, Input, Output>,
): string {
  const line = (operation: Operation<Input, Output>) => `  ${tellOperation(model, operation)}`;
  const last = order.at(-1);
  const state = model.key(last === undefined ? model.initial() : last.state);
  const shown = order.slice(-LAST_SHOWN);
  return [
    `not linearizable${partition === '' ? '' : ` in "${partition}"`}: no order explains the answer`,
    line(unexplained),
    order.length === 0
      ? 'Nothing can have happened before it'
      : `The longest order of what was answered before${shown.length < order.length ? `, its last ${shown.length} of ${order.length}` : ''}:`,
    ...shown.map(({ operation, state: after }) => `${line(operation)}  then ${model.key(after)}`),
    `and the state is ${state}.`,
    ...(pending.length === 0 ? [] : ['Not in that order, and called before it returned:', ...pending.map(line)]),
  ].join('\n');
}

function tellOperation<State, Input, Output>(
  model: Model<State, Input, Output>,
  operation: Operation<Input, Output>,
): string {
  const { client, call, input, output } = operation;
  const what =
    model.describe?.(input, output) ??
    `${JSON.stringify(input)} → ${output === undefined ? '?' : JSON.stringify(output)}`;
  return `client ${client}  ${what}  [${tellTime(call)}, ${operation.return === null ? '…' : tellTime(operation.return)}]`;
}

function tellTime(time: number): string {
  return Number.isInteger(time) ? String(time) : time.toFixed(2);
}
