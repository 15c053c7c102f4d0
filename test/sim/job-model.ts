import type { JobId } from '../../src/ids.ts';
import { checkLinearizable } from '../support/linearizability/check.ts';
import { IMPOSSIBLE, type Model, type Operation as Observed } from '../support/linearizability/history.ts';
import type { Answer, History, Question } from './history.ts';
import { Violation } from './violation.ts';

/** Of one idempotency key: the job that it stands for, and whether that is known to be final. */
interface KeyState {
  readonly job: JobId | null;
  readonly life: 'live' | 'final';
}

const STEPS_MAX = 2_000_000;

/**
 * A key stands for the first job that was taken under it, for good. A job becomes final at any time, since runners do
 * that, and never live again; it can be cancelled only before.
 */
const JOBS: Model<KeyState, Question, Answer> = {
  initial: () => ({ job: null, life: 'live' }),
  step(state, question, answer) {
    if (answer?.kind === 'refused' && question.kind !== 'cancel') return { ok: true, state };
    switch (question.kind) {
      case 'submit':
        return submitted(state, question.job, answer);
      case 'cancel':
        return cancelled(state, question.job, answer);
      case 'read':
        return found(state, answer);
    }
  },
  key: ({ job, life }) => `${job} ${life}`,
  partition: ({ key }) => key,
  describe: (question, answer) => `${JSON.stringify(question)} → ${JSON.stringify(answer ?? null)}`,
};

type Next = ReturnType<typeof JOBS.step>;

function submitted(state: KeyState, job: JobId, answer: Answer | undefined): Next {
  const taken = state.job ?? job;
  if (answer !== undefined && (answer.kind !== 'submitted' || answer.job !== taken)) return IMPOSSIBLE;
  return { ok: true, state: { ...state, job: taken } };
}

function cancelled(state: KeyState, job: JobId, answer: Answer | undefined): Next {
  const meant = state.job === job;
  switch (answer?.kind) {
    case undefined:
      return { ok: true, state };
    case 'cancelled':
      return meant && state.life === 'live' ? { ok: true, state } : IMPOSSIBLE;
    case 'refused':
      return { ok: true, state: meant && answer.code === 'alreadyFinal' ? { ...state, life: 'final' } : state };
    default:
      return IMPOSSIBLE;
  }
}

function found(state: KeyState, answer: Answer | undefined): Next {
  if (answer?.kind !== 'found') return { ok: true, state };
  if (answer.job !== state.job) return IMPOSSIBLE;
  if (answer.job === null) return { ok: true, state };
  if (answer.state === 'absent' || (answer.state === 'live' && state.life === 'final')) return IMPOSSIBLE;
  return { ok: true, state: answer.state === 'live' ? state : { ...state, life: 'final' } };
}

/** @throws Violation when no order of the operations explains what the clients were told */
export function checkHistory({ operations }: History): void {
  const observed = operations.map(({ client, question, calledAt, returnedAt, answer }): Observed<Question, Answer> => {
    const asked = { client, call: calledAt, input: question };
    return answer === null || returnedAt === null
      ? { ...asked, return: null }
      : { ...asked, return: returnedAt, output: answer };
  });
  const verdict = checkLinearizable(JOBS, observed, { maxSteps: STEPS_MAX, maxMs: Infinity });
  if (verdict.kind === 'violation') {
    const told = operations
      .filter(({ question }) => question.key === verdict.partition)
      .map(({ calledAt, returnedAt, question, answer }) => {
        return `  ${calledAt} to ${returnedAt}: ${JOBS.describe?.(question, answer ?? undefined)}`;
      });
    throw new Violation('linearizable', `what was told of ${verdict.partition}:\n${told.join('\n')}`);
  }
  if (verdict.kind === 'unknown') throw new Violation('linearizable', `undecided: ${verdict.undecided.join(' ')}`);
}
