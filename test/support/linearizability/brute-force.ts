import type { History, Model, Operation } from './history.ts';

/** Tries every order of every choice of the open operations. For some seven operations, to compare with. */
export function isLinearizableByTrying<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
): boolean {
  return extend(model, model.initial(), history);
}

function extend<State, Input, Output>(
  model: Model<State, Input, Output>,
  state: State,
  rest: History<Input, Output>,
): boolean {
  if (rest.every((operation) => operation.return === null)) return true;
  return rest.some((operation) => {
    if (rest.some((other) => precedes(other, operation))) return false;
    const step = model.step(state, operation.input, operation.output);
    return (
      step.ok &&
      extend(
        model,
        step.state,
        rest.filter((other) => other !== operation),
      )
    );
  });
}

function precedes<Input, Output>(a: Operation<Input, Output>, b: Operation<Input, Output>): boolean {
  return a.return !== null && a.return < b.call;
}
