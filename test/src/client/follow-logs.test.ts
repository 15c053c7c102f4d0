import { afterEach, describe, expect, it } from 'vitest';
import { type ClientOptions, QuorateClient } from '../../../src/client/client.ts';
import { ApiError, OutcomeUnknownError, ProtocolError } from '../../../src/client/client-error.ts';
import type { LogOptions } from '../../../src/client/follow-logs.ts';
import {
  answerJson,
  answerProblem,
  attemptView,
  END_EVENT,
  FakeApi,
  type FakeHandler,
  JOB_ID,
  jobView,
  logEvent,
} from '../../support/fake-api.ts';

const open: FakeApi[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.close()));
});

/** Answers questions for the job by themselves; `logs` answers those for its output. */
async function nodeWith(logs: FakeHandler, job = jobView()): Promise<FakeApi> {
  const api = await FakeApi.start((request, response) =>
    request.path.endsWith('/logs') ? logs(request, response) : answerJson(response, job),
  );
  open.push(api);
  return api;
}

async function read(
  api: FakeApi,
  options: LogOptions = { follow: true },
  clientOptions: Partial<ClientOptions> = {},
): Promise<Record<string, string>> {
  const client = new QuorateClient({ urls: [api.url], unreachableMs: 0, ...clientOptions });
  const written = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  for await (const { stream, data } of client.jobs.logs(JOB_ID, options)) written[stream].push(data);
  return {
    stdout: Buffer.concat(written.stdout).toString('latin1'),
    stderr: Buffer.concat(written.stderr).toString('latin1'),
  };
}

describe('the log of a job', () => {
  it('gives the bytes of each stream as they were written', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, value) => value);
    const api = await nodeWith((_request, response) => {
      response.write(': alive\n\n' + logEvent('stdout', bytes) + logEvent('stderr', 'err'));
      response.end(logEvent('stdout', 'out') + END_EVENT);
    });
    expect(await read(api)).toEqual({ stdout: Buffer.from(bytes).toString('latin1') + 'out', stderr: 'err' });
  });

  it('takes text from a node that does not send bytes', async () => {
    const api = await nodeWith((_request, response) => {
      response.end(`event: log\ndata: {"stream":"stdout","at":"x","data":"\u00e9"}\n\n${END_EVENT}`);
    });
    expect(await read(api)).toEqual({ stdout: Buffer.from('é').toString('latin1'), stderr: '' });
  });

  it('asks for what the caller wants', async () => {
    const api = await nodeWith((_request, response) => response.end(END_EVENT));
    await read(api, { stream: 'stderr', tail: 5, attempt: 2 });
    const [asked] = api.requests;
    expect(Object.fromEntries(asked?.query ?? [])).toEqual({ stream: 'stderr', tail: '5', attempt: '2' });
  });

  it('shows no byte twice and loses none when the connection breaks again and again', async () => {
    const whole = logEvent('stdout', 'abcdef') + logEvent('stderr', 'XYZ') + logEvent('stdout', 'ghi');
    const shown = [
      logEvent('stdout', 'abc'),
      logEvent('stdout', 'abcdef') + logEvent('stderr', 'XY'),
      whole + END_EVENT,
    ];
    let connection = 0;
    const api = await nodeWith((_request, response) => {
      const part = shown[connection] ?? '';
      connection += 1;
      response.write(part, () => (connection < shown.length ? response.destroy() : response.end()));
    });
    expect(await read(api)).toEqual({ stdout: 'abcdefghi', stderr: 'XYZ' });
    expect(connection).toBe(3);
  });

  it('connects again when the stream ends without saying that this was all', async () => {
    let connection = 0;
    const api = await nodeWith((_request, response) => {
      connection += 1;
      response.end(connection === 1 ? logEvent('stdout', 'a') : logEvent('stdout', 'ab') + END_EVENT);
    });
    expect(await read(api)).toEqual({ stdout: 'ab', stderr: '' });
  });

  it('connects again after an error event that may pass, and throws one that does not', async () => {
    const problem = (status: number, code: string) =>
      `event: error\ndata: ${JSON.stringify({ type: 'x', title: 'x', status, code, detail: 'told' })}\n\n`;
    let connection = 0;
    const api = await nodeWith((_request, response) => {
      connection += 1;
      response.end(connection === 1 ? problem(503, 'stopping') : problem(404, 'logUnavailable'));
    });
    const error = await read(api).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 'logUnavailable' });
    expect(connection).toBe(2);
  });

  it('connects again when a connection has gone silent', async () => {
    let connection = 0;
    const api = await nodeWith((_request, response) => {
      connection += 1;
      if (connection === 1) response.write(logEvent('stdout', 'a'));
      else response.end(logEvent('stdout', 'ab') + END_EVENT);
    });
    expect(await read(api, { follow: true }, { silentMs: 50 })).toEqual({ stdout: 'ab', stderr: '' });
  });

  it('does not guess where the last lines went on when the connection breaks behind them', async () => {
    const api = await nodeWith((_request, response) => {
      response.write(logEvent('stdout', 'a'), () => response.destroy());
    });
    await expect(read(api, { follow: true, tail: 1 })).rejects.toThrow(OutcomeUnknownError);
  });

  it('follows a job through its retries, each attempt from its start', async () => {
    const tried = { 1: 'first\n', 2: 'second\n' } as Record<string, string>;
    let ended = 0;
    const api = await FakeApi.start((request, response) => {
      const attempts = [attemptView(), attemptView({ attempt: 2 })].slice(0, Math.min(2, ended + 1));
      if (!request.path.endsWith('/logs')) {
        answerJson(response, jobView({ state: ended < 2 ? 'queued' : 'succeeded', attempts }));
        return;
      }
      ended += 1;
      response.end(logEvent('stdout', tried[request.query.get('attempt') ?? ''] ?? 'wrong') + END_EVENT);
    });
    open.push(api);
    expect(await read(api)).toEqual({ stdout: 'first\nsecond\n', stderr: '' });
  });

  it('ends when a job that seemed to go on ended without a further attempt', async () => {
    let asked = 0;
    const api = await FakeApi.start((request, response) => {
      if (!request.path.endsWith('/logs'))
        answerJson(response, jobView({ state: 'queued', attempts: [attemptView()] }));
      else if ((asked += 1) === 1) response.end(logEvent('stdout', 'only') + END_EVENT);
      else answerProblem(response, 404, 'notFound');
    });
    open.push(api);
    expect(await read(api)).toEqual({ stdout: 'only', stderr: '' });
  });

  it('leaves the connection when the reader has had enough', async () => {
    const left = Promise.withResolvers<void>();
    const api = await nodeWith((_request, response) => {
      response.on('close', () => left.resolve());
      response.write(logEvent('stdout', 'a'));
    });
    const client = new QuorateClient({ urls: [api.url] });
    for await (const chunk of client.jobs.logs(JOB_ID, { follow: true })) {
      expect(chunk.attempt).toBe(1);
      break;
    }
    await left.promise;
  });

  it('is refused when an event is malformed', async () => {
    const api = await nodeWith((_request, response) => response.end('event: log\ndata: {"stream":"other"}\n\n'));
    await expect(read(api)).rejects.toThrow(ProtocolError);
  });
});
