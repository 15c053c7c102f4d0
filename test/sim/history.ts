import type { JobId } from '../../src/ids.ts';

/** What a client asked for. */
export type Question =
  | { readonly kind: 'submit'; readonly key: string; readonly job: JobId }
  | { readonly kind: 'cancel'; readonly key: string; readonly job: JobId }
  | { readonly kind: 'read'; readonly key: string };

/** What it was told. `refused`: it certainly had no effect. */
export type Answer =
  | { readonly kind: 'submitted'; readonly job: JobId }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'found'; readonly job: JobId | null; readonly state: string | null };

export interface Operation {
  readonly client: number;
  readonly question: Question;
  /** Virtual milliseconds. */
  readonly calledAt: number;
  /** Null: unknown, it may have an effect at any time after the call. */
  returnedAt: number | null;
  answer: Answer | null;
}

/** Everything that the clients of one run did and heard. */
export class History {
  readonly operations: Operation[] = [];
  acknowledged = 0;

  begin(client: number, question: Question, now: number): Operation {
    const operation: Operation = { client, question, calledAt: now, returnedAt: null, answer: null };
    this.operations.push(operation);
    return operation;
  }

  end(operation: Operation, answer: Answer, now: number): void {
    operation.answer = answer;
    operation.returnedAt = now;
    if (answer.kind !== 'refused') this.acknowledged += 1;
  }
}
