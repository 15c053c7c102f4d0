/**
 * What one client asked for and was told. Times are of one clock, in any unit. An operation that returned at the same
 * time as another was called counts as concurrent with it.
 */
export type Operation<Input, Output> = ReturnedOperation<Input, Output> | OpenOperation<Input>;

interface Call<Input> {
  readonly client: number | string;
  readonly call: number;
  readonly input: Input;
}

export interface ReturnedOperation<Input, Output> extends Call<Input> {
  readonly return: number;
  readonly output: Output;
}

/** Nobody knows its outcome: it happened at any time after its call, or it never did. */
export interface OpenOperation<Input> extends Call<Input> {
  readonly return: null;
  readonly output?: undefined;
}

export type History<Input, Output> = readonly Operation<Input, Output>[];

/** The object that the history is claimed to be of, as if one client after another used it. */
export interface Model<State, Input, Output> {
  initial(): State;
  /**
   * Whether the object in `state` could answer `output` to `input`, and its state from then on. `output` is undefined
   * when nobody knows it; then whatever the object would have answered is right. States are not changed in place.
   */
  step(state: State, input: Input, output: Output | undefined): Step<State>;
  /** Equal for equal states and only for them. */
  key(state: State): string;
  /** Operations of different partitions never influence each other, and are checked apart. */
  partition?(input: Input): string;
  /** For people, as `write(3) → ok`. */
  describe?(input: Input, output: Output | undefined): string;
}

export type Step<State> = { readonly ok: true; readonly state: State } | { readonly ok: false };

export const IMPOSSIBLE = { ok: false } as const;
