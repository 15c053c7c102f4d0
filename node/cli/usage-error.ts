/** What was typed cannot be meant: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code: string;
  /** What to type instead. */
  readonly next: string | null;

  constructor(message: string, next: string | null = null, code = 'usage') {
    super(message);
    this.next = next;
    this.code = code;
  }
}
