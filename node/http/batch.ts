import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { Fault, Rejection } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import { batchLineSchema } from '../../src/jobs/batch-line.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Core } from '../core.ts';
import { runBatch, errorLine } from './batch-run.ts';
import { readChunks } from './body.ts';
import type { HttpMetrics } from './http-metrics.ts';
import { NameBudget } from './line-names.ts';
import { problemOf } from './problem.ts';
import { route } from './route.ts';
import type { Answer, Route, RouteInput } from './route.ts';
import { problemSchema } from './schemas.ts';
import type { HttpLogger } from './serve.ts';

export interface BatchRouteDependencies {
  readonly core: Core;
  readonly logger: HttpLogger;
  readonly metrics: HttpMetrics;
}

const answerLine = z.union([z.object({ id: z.string() }), z.object({ error: problemSchema })]);

/** Answers while it reads: one line for each job, in order, whatever becomes of it. */
export function batchRoutes(dependencies: BatchRouteDependencies): readonly Route[] {
  let running = 0;
  const nameBudget = new NameBudget();
  return [
    route({
      method: 'POST',
      path: '/v1/jobs/batch',
      scope: 'jobs:write',
      own: 'new',
      summary: 'Submit many jobs, as NDJSON or as one JSON array',
      body: {
        kind: 'stream',
        types: ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/json'],
        schema: batchLineSchema,
      },
      responses: {
        200: {
          description: 'One line for each job, in order, written while the request is read.',
          mediaType: 'application/x-ndjson',
          schema: answerLine,
        },
      },
      async handle(input) {
        if (input.headers['idempotency-key'] !== undefined) {
          throw new Rejection('notSupported', 'a batch takes no key: submit one by one, or make repeats harmless', {
            field: 'Idempotency-Key',
          });
        }
        if (running >= LIMITS.batchesInFlight) {
          throw new Rejection('tooManyRequests', 'this node takes no further batch at the moment', {
            limit: { name: 'batchesInFlight', value: LIMITS.batchesInFlight },
          });
        }
        running += 1;
        input.signal().addEventListener('abort', () => (running -= 1), { once: true });
        return answerBatch(input, nameBudget, dependencies);
      },
    }),
  ];
}

function answerBatch(
  input: RouteInput<unknown, unknown, unknown>,
  nameBudget: NameBudget,
  { core, logger, metrics }: BatchRouteDependencies,
): Answer {
  const { requestId } = input;
  const pieces = runBatch(
    {
      newId: () => uuidv7() as JobId,
      nameBudget,
      submit: (items) => core.submit(input.identity, items),
      onAnswered(accepted, refused) {
        metrics.batchLine('accepted', accepted);
        metrics.batchLine('refused', refused);
      },
      onError(error) {
        const { code } = problemOf(error, requestId);
        if (error instanceof Fault) logger.debug({ requestId, code }, 'part of a batch failed');
        else logger.error({ requestId, code, err: error }, 'part of a batch failed');
      },
    },
    readChunks(input.raw),
    { requestId, signal: input.signal() },
  );
  return {
    kind: 'stream',
    status: 200,
    headers: { 'content-type': 'application/x-ndjson' },
    pieces,
    onError: (error) => errorLine(problemOf(error, requestId)),
  };
}
