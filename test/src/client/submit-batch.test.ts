import { afterEach, describe, expect, it } from 'vitest';
import type { BatchLine } from '../../../src/api/views.ts';
import { QuorateClient } from '../../../src/client/client.ts';
import { ApiError, ProtocolError } from '../../../src/client/client-error.ts';
import { answerProblem, FakeApi, type FakeHandler, refusedUrl } from '../../support/fake-api.ts';

const open: FakeApi[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.close()));
});

async function fake(handler: FakeHandler): Promise<FakeApi> {
  const api = await FakeApi.start(handler);
  open.push(api);
  return api;
}

/** Answers each job with the number in its command. */
const takeAll: FakeHandler = ({ body }, response) => {
  const jobs = body.split('\n').filter((line) => line !== '');
  response.end(jobs.map((job) => `{"id":"${(JSON.parse(job) as { command: string[] }).command[0]}"}\n`).join(''));
};

async function* lines(count: number): AsyncGenerator<string, void> {
  for (let job = 0; job < count; job += 1) yield JSON.stringify({ command: [String(job)] });
}

function clientOf(...urls: readonly string[]): QuorateClient {
  return new QuorateClient({ urls, unreachableMs: 0 });
}

const idsOf = (answers: readonly BatchLine[]) => answers.map((line) => ('id' in line ? line.id : line.error.code));
const numbers = (count: number) => Array.from({ length: count }, (_, job) => String(job));

describe('a batch', () => {
  it('of any length is answered in order, in requests of bounded size, one at a time', async () => {
    let underWay = 0;
    let most = 0;
    const node = await fake(async (request, response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise((resolve) => setTimeout(resolve, 5));
      underWay -= 1;
      await takeAll(request, response);
    });
    const answers = await Array.fromAsync(clientOf(node.url).jobs.submitLines(lines(20_000)));
    expect(idsOf(answers)).toEqual(numbers(20_000));
    expect(most).toBe(1);
    expect(Math.max(...node.requests.map(({ body }) => body.split('\n').length))).toBeLessThanOrEqual(8192 + 1);
  });

  it('sends what a slow source gave without waiting for more', async () => {
    const node = await fake(takeAll);
    const more = Promise.withResolvers<void>();
    async function* slow(): AsyncGenerator<string, void> {
      yield '{"command":["a"]}';
      await more.promise;
      yield '{"command":["b"]}';
    }
    const answers = clientOf(node.url).jobs.submitLines(slow());
    expect((await answers.next()).value).toEqual({ id: 'a' });
    more.resolve();
    expect((await answers.next()).value).toEqual({ id: 'b' });
    expect((await answers.next()).done).toBe(true);
  });

  it('tells the refusal of a line in its place', async () => {
    const error = { type: 'x', title: 'x', status: 400, code: 'invalidRequest', detail: 'no' };
    const node = await fake(({ body }, response) => {
      const jobs = body.trim().split('\n');
      response.end(jobs.map((job) => `${JSON.stringify(job.includes('"1"') ? { error } : { id: job })}\n`).join(''));
    });
    const answers = await Array.fromAsync(clientOf(node.url).jobs.submitLines(lines(3)));
    expect(answers.map((line) => 'error' in line)).toEqual([false, true, false]);
    expect(answers[1]).toEqual({ error });
  });

  it('takes a spec that was written over several lines for one job', async () => {
    const node = await fake(takeAll);
    async function* pretty(): AsyncGenerator<string, void> {
      yield JSON.stringify({ command: ['a'] }, null, 2);
    }
    expect(await Array.fromAsync(clientOf(node.url).jobs.submitLines(pretty()))).toEqual([{ id: 'a' }]);
  });

  it('knows the names of lines over its requests, which no node does', async () => {
    const answered = Promise.withResolvers<void>();
    const node = await fake(({ body }, response) => {
      const jobs = body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { ref?: string } | null);
      const error = { type: 'x', title: 'x', status: 409, code: 'groupClosed', detail: 'no' };
      response.end(
        jobs
          .map((job) => `${JSON.stringify(job === null || job.ref === 'bad' ? { error } : { id: `job-${job.ref}` })}\n`)
          .join(''),
      );
    });
    async function* source(): AsyncGenerator<string, void> {
      yield '{"ref":"bad"}';
      await answered.promise;
      yield '{"ref":"a"}';
      yield '{"ref":"b","dependsOn":[{"ref":"a"}]}';
      yield '{"ref":"c","dependsOn":[{"ref":"bad"}]}';
      yield '{"ref":"d","dependsOn":[{"ref":"c"}]}';
      yield '{"ref":"bad"}';
      await new Promise((resolve) => setTimeout(resolve, 20));
      yield '{"ref":"e","dependsOn":[{"on":"failed","ref":"a"},{"ref":"e"}],"inputs":{"outputsOf":[{"ref":"a","at":"x"}]}}';
    }
    const answers: BatchLine[] = [];
    for await (const answer of clientOf(node.url).jobs.submitLines(source())) {
      answers.push(answer);
      answered.resolve();
    }
    expect(idsOf(answers)).toEqual([
      'groupClosed',
      'job-a',
      'job-b',
      'dependencyRefused',
      'dependencyRefused',
      'conflict',
      'job-e',
    ]);
    expect(JSON.parse(node.requests.at(-1)?.body ?? '')).toEqual({
      ref: 'e',
      dependsOn: [{ job: 'job-a', on: 'failed' }, { ref: 'e' }],
      inputs: { outputsOf: [{ job: 'job-a', at: 'x' }] },
    });
    expect(answers[3]).toMatchObject({
      error: { field: 'dependsOn[0].ref', detail: expect.stringContaining('"bad" was not taken (groupClosed)') },
    });
  });

  it('refuses to go on with a node that answers more lines than it got', async () => {
    const node = await fake((_request, response) => response.end('{"id":"a"}\n{"id":"b"}\n'));
    async function* one(): AsyncGenerator<string, void> {
      yield '{"command":["a"]}';
    }
    await expect(Array.fromAsync(clientOf(node.url).jobs.submitLines(one()))).rejects.toThrow(ProtocolError);
  });

  it('sends what a lost connection left open again, under its key and number', async () => {
    let asked = 0;
    const node = await fake((request, response) => {
      asked += 1;
      if (asked > 2) return takeAll(request, response);
      return asked === 1 ? response.destroy() : response.write('{"id":"0"}\n', () => response.destroy());
    });
    const answers = await Array.fromAsync(clientOf(node.url).jobs.submitLines(lines(3), { idempotencyKey: 'k' }));
    expect(idsOf(answers)).toEqual(['0', '1', '2']);
    const froms = node.requests.map(({ query, headers }) => [query.get('from'), headers['idempotency-key']]);
    expect(froms.slice(0, 2)).toEqual([
      ['1', 'k'],
      ['1', 'k'],
    ]);
    const sentBy = (from: string) => node.requests.findLast(({ query }) => query.get('from') === from)?.body;
    expect(sentBy('2')?.split('\n')[0]).toBe('{"command":["1"]}');
  });

  it('says by their ids what it names that was answered before the connection was lost', async () => {
    let asked = 0;
    const whole = Promise.withResolvers<void>();
    const heard = Promise.withResolvers<void>();
    const node = await fake(async ({ body }, response) => {
      asked += 1;
      // What follows comes in one request.
      if (asked === 1) await whole.promise;
      const names = body.split('\n').filter((line) => line !== '');
      const answers = names.map((line) => `{"id":"job-${(JSON.parse(line) as { ref: string }).ref}"}\n`);
      if (asked !== 2) return void response.end(answers.join(''));
      response.write(answers[0] ?? '');
      await heard.promise;
      response.destroy();
    });
    async function* source(): AsyncGenerator<string, void> {
      yield '{"ref":"first"}';
      yield '{"ref":"a"}';
      yield '{"ref":"b","dependsOn":[{"ref":"a"}]}';
      yield '{"ref":"c","dependsOn":[{"ref":"b"}]}';
      whole.resolve();
    }
    const answers: BatchLine[] = [];
    for await (const answer of clientOf(node.url).jobs.submitLines(source())) {
      answers.push(answer);
      if (answers.length === 2) heard.resolve();
    }
    expect(idsOf(answers)).toEqual(['job-first', 'job-a', 'job-b', 'job-c']);
    expect(node.requests.map(({ body }) => body).join('')).toContain('{"ref":"b","dependsOn":[{"job":"job-a"}]}');
  });

  it('counts its lines over all requests, those that it refuses itself too', async () => {
    const node = await fake(({ body }, response) => {
      const jobs = body.trim().split('\n');
      response.end(jobs.map(() => '{"error":{"code":"groupClosed"}}\n').join(''));
    });
    async function* source(): AsyncGenerator<string, void> {
      yield '{"ref":"a"}';
      for (let n = 0; n < 2 * 8192; n += 1) yield '{"dependsOn":[{"ref":"a"}]}';
    }
    const answers = await Array.fromAsync(clientOf(node.url).jobs.submitLines(source()));
    expect(idsOf(answers).slice(-1)).toEqual(['dependencyRefused']);
    let next = 1;
    for (const { query, body } of node.requests) {
      expect(query.get('from')).toBe(String(next));
      next += body.trim().split('\n').length;
    }
    expect(next).toBe(2 * 8192 + 2);
    expect(node.requests.at(-1)?.body.split('\n')[0]).toBe('null');
  });

  it('tells of lines as unknown that no further try brings an answer to', async () => {
    const node = await fake((_request, response) => response.destroy());
    const answers = await Array.fromAsync(clientOf(node.url).jobs.submitLines(lines(1)));
    expect(idsOf(answers)).toEqual(['outcomeUnknown']);
    expect(node.requests).toHaveLength(4);
  });

  it('goes to the next node when nobody listens at the first', async () => {
    const node = await fake(takeAll);
    const answers = await Array.fromAsync(clientOf(await refusedUrl(), node.url).jobs.submitLines(lines(3)));
    expect(idsOf(answers)).toEqual(numbers(3));
  });

  it('throws the refusal of a whole request', async () => {
    const node = await fake((_request, response) => answerProblem(response, 401, 'unauthenticated'));
    const answers = clientOf(node.url).jobs.submitLines(lines(3));
    await expect(Array.fromAsync(answers)).rejects.toThrow(ApiError);
  });

  it('gives the answers that came before its source failed', async () => {
    const node = await fake(takeAll);
    async function* failing(): AsyncGenerator<string, void> {
      yield* lines(2);
      throw new Error('the disk broke');
    }
    const answers: BatchLine[] = [];
    await expect(async () => {
      for await (const line of clientOf(node.url).jobs.submitLines(failing())) answers.push(line);
    }).rejects.toThrow('the disk broke');
    expect(idsOf(answers)).toEqual(numbers(2));
  });

  it('reads no further ahead than one request while a node is slow', async () => {
    const release = Promise.withResolvers<void>();
    const node = await fake(async (request, response) => {
      await release.promise;
      await takeAll(request, response);
    });
    let read = 0;
    async function* counted(): AsyncGenerator<string, void> {
      for await (const line of lines(50_000)) {
        read += 1;
        yield line;
      }
    }
    const answers = clientOf(node.url).jobs.submitLines(counted());
    const first = answers.next();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(read).toBeLessThanOrEqual(2 * 8192 + 2);
    release.resolve();
    await first;
    await answers.return();
  });

  it('skips lines without content', async () => {
    const node = await fake(takeAll);
    async function* gaps(): AsyncGenerator<string, void> {
      yield* ['', '{"command":["a"]}', '  ', '{"command":["b"]}', ''];
    }
    expect(idsOf(await Array.fromAsync(clientOf(node.url).jobs.submitLines(gaps())))).toEqual(['a', 'b']);
  });
});
