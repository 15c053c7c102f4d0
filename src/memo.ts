/**
 * Values of a pure function by its argument, so that equal ones are one value. What it holds is bounded; it changes no
 * result, only how much is kept.
 */
export class Memo<Value> {
  readonly #max: number;
  #values = new Map<string, Value>();

  /** @param max values; when there would be more, all are let go */
  constructor(max: number) {
    this.#max = max;
  }

  get(key: string, make: () => Value): Value {
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    const made = make();
    if (this.#values.size >= this.#max) this.#values = new Map();
    this.#values.set(key, made);
    return made;
  }
}
