import { describe, expect, it } from 'vitest';
import { checkLinearizable } from '../linearizability/check.ts';
import type { History, OpenOperation, ReturnedOperation } from '../linearizability/history.ts';
import { JOBS, type JobInput, type JobOutput } from './job-model.ts';

type Span = readonly [call: number, end: number];
type Returned = ReturnedOperation<JobInput, JobOutput>;
type Open = OpenOperation<JobInput>;

const KEY = 'k';

const GOOD: Readonly<Record<string, History<JobInput, JobOutput>>> = {
  'a job that is made once': [submitted('created', 'a', [0, 1]), submitted('existed', 'a', [2, 3])],
  'two submissions at once, of which one makes it': [
    submitted('existed', 'a', [0, 5]),
    submitted('created', 'a', [1, 6]),
  ],
  'a submission of unknown outcome that made it': [openSubmit(0), submitted('existed', 'a', [5, 6])],
  'a submission of unknown outcome that did not': [openSubmit(0), submitted('created', 'a', [5, 6])],
  'a job that is cancelled once': [
    submitted('created', 'a', [0, 1]),
    cancelled('cancelled', 'a', [2, 3]),
    cancelled('alreadyFinal', 'a', [4, 5]),
    got('cancelled', 'a', [6, 7]),
    submitted('existed', 'a', [8, 9]),
  ],
  'a cancellation of unknown outcome that is seen late': [
    submitted('created', 'a', [0, 1]),
    openCancel('a', 2),
    got('waiting', 'a', [3, 4]),
    got('cancelled', 'a', [50, 51]),
  ],
};

const BAD: Readonly<Record<string, History<JobInput, JobOutput>>> = {
  'a job that is made twice': [submitted('created', 'a', [0, 1]), submitted('created', 'b', [2, 3])],
  'two jobs under one key': [submitted('created', 'a', [0, 1]), submitted('existed', 'b', [2, 3])],
  'a job that existed before anybody made it': [submitted('existed', 'a', [0, 1])],
  'an acknowledged job that is lost': [submitted('created', 'a', [0, 1]), notFound('a', [2, 3])],
  'an acknowledged cancellation that is lost': [
    submitted('created', 'a', [0, 1]),
    cancelled('cancelled', 'a', [2, 3]),
    got('waiting', 'a', [4, 5]),
  ],
  'a job that was cancelled by nobody': [submitted('created', 'a', [0, 1]), got('cancelled', 'a', [2, 3])],
  'a job that is cancelled twice': [
    submitted('created', 'a', [0, 1]),
    cancelled('cancelled', 'a', [2, 3]),
    cancelled('cancelled', 'a', [4, 5]),
  ],
  'a cancellation refused though nothing stands against it': [
    submitted('created', 'a', [0, 1]),
    cancelled('alreadyFinal', 'a', [2, 3]),
  ],
  'a read that goes back behind another': [
    submitted('created', 'a', [0, 1]),
    openCancel('a', 2),
    got('cancelled', 'a', [3, 4]),
    got('waiting', 'a', [5, 6]),
  ],
};

describe('a job under an idempotency key', () => {
  it.each(Object.entries(GOOD))('may be: %s', (_name, history) => {
    expect(checkLinearizable(JOBS, history).kind).toBe('linearizable');
  });

  it.each(Object.entries(BAD))('is never: %s', (_name, history) => {
    expect(checkLinearizable(JOBS, history).kind).toBe('violation');
  });
});

function submitted(kind: 'created' | 'existed', id: string, [call, end]: Span): Returned {
  return { client: 1, call, return: end, input: { kind: 'submit', key: KEY }, output: { kind, id } };
}

function openSubmit(call: number): Open {
  return { client: 2, call, return: null, input: { kind: 'submit', key: KEY } };
}

function cancelled(kind: 'cancelled' | 'alreadyFinal', id: string, [call, end]: Span): Returned {
  return { client: 1, call, return: end, input: { kind: 'cancel', key: KEY, id }, output: { kind } };
}

function openCancel(id: string, call: number): Open {
  return { client: 2, call, return: null, input: { kind: 'cancel', key: KEY, id } };
}

function got(state: string, id: string, [call, end]: Span): Returned {
  return { client: 1, call, return: end, input: { kind: 'get', key: KEY, id }, output: { kind: 'found', state } };
}

function notFound(id: string, [call, end]: Span): Returned {
  return { client: 1, call, return: end, input: { kind: 'get', key: KEY, id }, output: { kind: 'notFound' } };
}
