import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { Fault, Rejection } from '../../src/errors.ts';
import { type JobId, lineId } from '../../src/ids.ts';
import { batchLineSchema } from '../../src/jobs/batch-line.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Core } from '../core.ts';
import { type BatchDependencies, errorLine, runBatch } from './batch-run.ts';
import { readChunks } from './body.ts';
import type { HttpMetrics } from './http-metrics.ts';
import { keyOf, keyHeaders } from './idempotency-key.ts';
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

const firstLine = z.coerce
  .number()
  .pipe(z.int().min(1).max(LIMITS.batchJobs))
  .default(1)
  .meta({ description: 'The number of the first line, for a batch that is sent under one key in several requests.' });
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
      headers: keyHeaders,
      query: z.strictObject({ from: firstLine }),
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
        if (running >= LIMITS.batchesInFlight) {
          throw new Rejection('tooManyRequests', 'this node takes no further batch at the moment', {
            limit: { name: 'batchesInFlight', value: LIMITS.batchesInFlight },
          });
        }
        running += 1;
        input.signal().addEventListener('abort', () => (running -= 1), { once: true });
        const identify = await identifierOf(input, dependencies.core);
        return answerBatch(input, { identify, nameBudget, from: input.query.from }, dependencies);
      },
    }),
  ];
}

interface BatchParts {
  readonly identify: BatchDependencies['identify'];
  readonly nameBudget: NameBudget;
  readonly from: number;
}

/** Under a key each line has one id, however often it is sent. */
async function identifierOf(
  { headers, identity }: Pick<RouteInput<unknown, unknown, unknown>, 'headers' | 'identity'>,
  core: Core,
): Promise<BatchDependencies['identify']> {
  const key = keyOf(headers);
  if (key === null) return () => ({ id: uuidv7() as JobId });
  const base = await core.batchBase(identity, key);
  return (line) => ({ id: lineId(base, line), batch: { key, line, base } });
}

function answerBatch(
  input: RouteInput<unknown, unknown, unknown>,
  { identify, nameBudget, from }: BatchParts,
  { core, logger, metrics }: BatchRouteDependencies,
): Answer {
  const { requestId } = input;
  const pieces = runBatch(
    {
      identify,
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
    { requestId, from, signal: input.signal() },
  );
  return {
    kind: 'stream',
    status: 200,
    headers: { 'content-type': 'application/x-ndjson' },
    pieces,
    onError: (error) => errorLine(problemOf(error, requestId)),
  };
}
