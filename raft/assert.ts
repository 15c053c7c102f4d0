export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Guards an invariant of this core, never input. A failure means that going on could lose committed entries. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export function unreachable(value: never): never {
  throw new AssertionError(`unexpected ${JSON.stringify(value)}`);
}
