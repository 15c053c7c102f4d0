/** The simulated cluster did what it must never do. */
export class Violation extends Error {
  override readonly name = 'Violation';
  /** Which promise was broken. */
  readonly invariant: string;

  constructor(invariant: string, message: string, options?: ErrorOptions) {
    super(`${invariant}: ${message}`, options);
    this.invariant = invariant;
  }
}

export function ensure(holds: boolean, invariant: string, message: () => string): void {
  if (!holds) throw new Violation(invariant, message());
}
