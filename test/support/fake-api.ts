import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { AttemptView, ExplanationView, JobView, Problem } from '../../src/api/views.ts';

/** A request as a test's handler sees it. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type FakeHandler = (request: FakeRequest, response: ServerResponse) => unknown;

/** An HTTP server in place of a node, that answers what a test tells it to and remembers what it was asked. */
export class FakeApi {
  readonly requests: FakeRequest[] = [];
  readonly #server: Server;
  #handler: FakeHandler;

  static async start(handler: FakeHandler): Promise<FakeApi> {
    const api = new FakeApi(handler);
    const { promise, resolve } = Promise.withResolvers<void>();
    api.#server.listen(0, '127.0.0.1', () => resolve());
    await promise;
    return api;
  }

  private constructor(handler: FakeHandler) {
    this.#handler = handler;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  set handler(handler: FakeHandler) {
    this.#handler = handler;
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  async #serve(raw: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(raw.url ?? '/', 'http://fake');
    const request = {
      method: raw.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: raw.headers,
      body: await text(raw),
    };
    this.requests.push(request);
    try {
      await this.#handler(request, response);
    } catch (error) {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** An address where nobody listens. */
export async function refusedUrl(): Promise<string> {
  const api = await FakeApi.start(() => undefined);
  const { url } = api;
  await api.close();
  return url;
}

export function answerJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

export function answerProblem(
  response: ServerResponse,
  status: number,
  code: string,
  rest: Partial<Problem> = {},
): void {
  const problem = { type: 'about:blank', title: 'Error', status, code, detail: `told ${code}`, ...rest };
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
}

/** Events of a log as a node sends them; `end` is not added. */
export function logEvent(stream: 'stdout' | 'stderr', data: string | Uint8Array): string {
  const base64 = Buffer.from(data).toString('base64');
  return `event: log\ndata: ${JSON.stringify({ stream, at: '2026-01-01T00:00:00.000Z', base64 })}\n\n`;
}

export const END_EVENT = 'event: end\ndata: {}\n\n';

export const JOB_ID = '019a0000-0000-7000-8000-000000000001';

export function jobView(changes: Partial<JobView> = {}): JobView {
  const state = changes.state ?? 'succeeded';
  const isLive = ['waiting', 'queued', 'assigned', 'running'].includes(state);
  return {
    id: JOB_ID,
    state,
    spec: { command: ['true'] },
    project: 'default',
    queue: 'default',
    submittedBy: 'token:test',
    submittedAt: '2026-01-01T00:00:00.000Z',
    finalAt: isLive ? null : '2026-01-01T00:00:01.000Z',
    exitCode: state === 'succeeded' ? 0 : null,
    signal: null,
    reason: null,
    parent: null,
    group: null,
    schedule: null,
    waitsFor: null,
    attempts: [attemptView(isLive ? { state: 'running', endedAt: null } : {})],
    index: 7,
    ...changes,
  };
}

export function attemptView(changes: Partial<AttemptView> = {}): AttemptView {
  return {
    attempt: 1,
    runner: 'runner-1',
    state: 'succeeded',
    assignedAt: '2026-01-01T00:00:00.000Z',
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: '2026-01-01T00:00:01.000Z',
    exitCode: null,
    signal: null,
    reason: null,
    usage: null,
    outputs: null,
    ...changes,
  };
}

/** Answers a submission, the output and the wait of one job. */
export function jobThatEnds(end: Partial<JobView>, output = END_EVENT): FakeHandler {
  return ({ method, path }, response) => {
    if (method === 'POST') answerJson(response, jobView({ state: 'queued', attempts: [] }), 201);
    else if (path.endsWith('/logs')) response.end(output);
    else answerJson(response, jobView(end));
  };
}

/** Of a job that nothing else is to be told of. */
export function queuedExplanation(
  some: Partial<Extract<ExplanationView, { state: 'queued' }>> = {},
): Extract<ExplanationView, { state: 'queued' }> {
  return {
    state: 'queued',
    ahead: 0,
    runners: 0,
    able: 0,
    fitting: 0,
    reasons: [],
    turn: { queue: 'default', weight: 1, queueShare: 0, project: 'default', projectShare: 0 },
    claim: null,
    lower: { preemptible: 0, spared: { queue: 0, retryNever: 0, preemptions: 0, ending: 0 } },
    preempted: { times: 0, most: 3 },
    ...some,
  };
}
