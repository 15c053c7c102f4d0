import { lift, linkEntries, putBack, type Entry } from './entry-list.ts';
import type { History, Model, Operation, ReturnedOperation } from './history.ts';
import { LinearizedSet, SeenConfigurations } from './linearized-set.ts';

/** Counts the steps of the model over all partitions. */
export interface Budget {
  /** Whether one more step may be taken. */
  spend(): boolean;
}

export interface Linearized<State, Input, Output> {
  readonly operation: Operation<Input, Output>;
  /** After it. */
  readonly state: State;
}

/** Where every order of the operations ends. */
export interface Stuck<State, Input, Output> {
  /** Explains every answer given before `unexplained` returned; the longest such. */
  readonly order: readonly Linearized<State, Input, Output>[];
  /** The first in the order of returns whose answer has no place. */
  readonly unexplained: ReturnedOperation<Input, Output>;
  /** Called before `unexplained` returned, and not in the order. */
  readonly pending: readonly Operation<Input, Output>[];
}

export type SearchResult<State, Input, Output> =
  | { readonly kind: 'found' }
  | { readonly kind: 'none'; readonly stuck: Stuck<State, Input, Output> }
  | { readonly kind: 'budgetSpent' };

interface Frame<State, Input, Output> extends Linearized<State, Input, Output> {
  readonly call: Entry<Input, Output>;
  readonly before: State;
}

/**
 * Wing and Gong's search with Lowe's pruning ("Testing for linearizability", 2017), as in Porcupine: lifts the first
 * call that the state allows; at a return whose operation is not lifted yet, takes the last lift back and goes on behind
 * it. It is done when every operation that returned is lifted: those that nobody knows the outcome of need not happen.
 */
export function search<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  budget: Budget,
): SearchResult<State, Input, Output> {
  const head = linkEntries(history);
  const linearized = new LinearizedSet(history.length);
  const seen = new SeenConfigurations();
  const stack: Frame<State, Input, Output>[] = [];
  let state = model.initial();
  let left = history.filter((operation) => operation.return !== null).length;
  let farthest: { readonly at: Entry<Input, Output>; readonly order: readonly Frame<State, Input, Output>[] } | null =
    null;

  let entry = head.next;
  while (left > 0) {
    if (entry === null || entry.operation === null) throw new Error('an operation that returned is not in the list');
    const { operation } = entry;
    if (entry.kind === 'call') {
      if (!budget.spend()) return { kind: 'budgetSpent' };
      const step = model.step(state, operation.input, operation.output);
      if (step.ok && mayLinearize(entry, step.state)) {
        stack.push({ operation, call: entry, before: state, state: step.state });
        state = step.state;
        if (operation.return !== null) left -= 1;
        lift(entry);
        entry = head.next;
      } else {
        entry = entry.next;
      }
      continue;
    }

    if (farthest === null || isFarther(entry, farthest.at, stack.length, farthest.order.length)) {
      farthest = { at: entry, order: [...stack] };
    }
    const frame = stack.pop();
    if (frame === undefined) return { kind: 'none', stuck: tellStuck(farthest.at, farthest.order, history) };
    putBack(frame.call);
    linearized.remove(frame.call.index);
    if (frame.operation.return !== null) left += 1;
    state = frame.before;
    entry = frame.call.next;
  }
  return { kind: 'found' };

  /** Marks it, unless this was explored before. An open operation that changes nothing explains nothing. */
  function mayLinearize(call: Entry<Input, Output>, next: State): boolean {
    const key = model.key(next);
    if (call.match === null && key === model.key(state)) return false;
    linearized.add(call.index);
    if (seen.remember(linearized, key)) return true;
    linearized.remove(call.index);
    return false;
  }
}

function isFarther<Input, Output>(
  entry: Entry<Input, Output>,
  than: Entry<Input, Output>,
  length: number,
  thanLength: number,
): boolean {
  return entry.position > than.position || (entry.position === than.position && length > thanLength);
}

/**
 * The search is exhaustive and comes to a return only when all that returned before are lifted. So what returned before
 * the farthest return that it ever came to has an order, and with that return there is none.
 */
function tellStuck<State, Input, Output>(
  at: Entry<Input, Output>,
  order: readonly Frame<State, Input, Output>[],
  history: History<Input, Output>,
): Stuck<State, Input, Output> {
  const unexplained = at.operation;
  if (unexplained === null || unexplained.return === null) throw new Error('stuck at no return');
  const { return: end } = unexplained;
  const placed = new Set(order.map((frame) => frame.operation));
  const pending = history.filter(
    (operation) => operation !== unexplained && operation.call <= end && !placed.has(operation),
  );
  return { order: order.map(({ operation, state }) => ({ operation, state })), unexplained, pending };
}
