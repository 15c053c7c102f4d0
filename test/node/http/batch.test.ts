import type { ClientRequest, IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { BatchLine } from '../../../src/api/views.ts';
import { Fault } from '../../../src/errors.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { SubmitItem, SubmitResult } from '../../../node/core.ts';
import { FakeCore } from './fake-core.ts';
import { linesOf, responseTo, serve } from './serving.ts';
import type { Served } from './serving.ts';

const PATH = '/v1/jobs/batch';
const NDJSON = { 'content-type': 'application/x-ndjson' };

function spec(name: string): string {
  return JSON.stringify({ command: ['true'], name });
}

function specs(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => spec(`job-${index}`));
}

async function post(served: Served, body: string | Uint8Array, type = 'application/x-ndjson') {
  const answer = await served.ask('POST', PATH, { body, headers: { 'content-type': type } });
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('application/x-ndjson');
  return answer.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BatchLine);
}

/** The names of the jobs that the answer's ids stand for, or the code of the error in their place. */
function outcomes(core: FakeCore, lines: readonly BatchLine[]): readonly (string | undefined)[] {
  const byId = new Map([...core.stored.values()].map((job) => [job.id, job.spec.name]));
  return lines.map((line) => ('id' in line ? byId.get(line.id) : line.error.code));
}

describe('a batch of lines', () => {
  it('is answered in order, across many chunks that are answered out of order', async () => {
    const core = new FakeCore();
    const submit = core.submit.bind(core);
    let chunks = 0;
    core.submit = async (who, items) => {
      const results = await submit(who, items);
      chunks += 1;
      await new Promise((resolve) => setTimeout(resolve, chunks % 2 === 0 ? 1 : 10));
      return results;
    };
    const served = await serve(core);
    const names = Array.from({ length: 5_000 }, (_, index) => `job-${index}`);
    const lines = await post(served, specs(5_000).join('\n'));
    expect(outcomes(core, lines)).toEqual(names);
    const sizes = core.called('submit').map((call) => (call[1] as SubmitItem[]).length);
    expect(Math.max(...sizes)).toBe(LIMITS.batchChunkJobs);
  });

  it('tells of each bad line in its place, and takes the others', async () => {
    const served = await serve();
    const bad = [
      '{"command":',
      '{"command":["a"],"comand":1}',
      '{"command":"a"}',
      '"text"',
      'null',
      spec('x'.repeat(LIMITS.batchLineBytes)),
    ];
    const lines = await post(served, [spec('first'), ...bad, spec('last')].join('\n'));
    expect(outcomes(served.core, lines)).toEqual([
      'first',
      'invalidRequest',
      'unknownField',
      'invalidRequest',
      'invalidRequest',
      'invalidRequest',
      'tooLarge',
      'last',
    ]);
    const [, , unknown, , , , large] = lines;
    expect(unknown).toMatchObject({ error: { status: 400, field: 'comand' } });
    expect(large).toMatchObject({ error: { status: 413, limit: { name: 'batchLineBytes' } } });
  });

  it('tells of a line that is not UTF-8', async () => {
    const served = await serve();
    const body = Buffer.concat([
      Buffer.from(`${spec('before')}\n{"command":["`),
      Buffer.from([0xff, 0xfe]),
      Buffer.from(`"]}\n${spec('after é 💡')}\n`),
    ]);
    const lines = await post(served, body);
    expect(outcomes(served.core, lines)).toEqual(['before', 'invalidRequest', 'after é 💡']);
  });

  it.each([
    ['\n\n', []],
    ['', []],
    [`\r\n${spec('a')}\r\n \t\r\n${spec('b')}\r\n`, ['a', 'b']],
    [spec('no newline at the end'), ['no newline at the end']],
  ])('counts blank lines for nothing: %j', async (body, names) => {
    const served = await serve();
    expect(outcomes(served.core, await post(served, body))).toEqual(names);
  });

  it('tells in its line what the core refused', async () => {
    const core = new FakeCore();
    core.submit = async (_who, items) =>
      items.map((item): SubmitResult =>
        item.spec.name === 'refused'
          ? { ok: false, code: 'queueFull', message: 'no room', field: 'queue' }
          : { ok: true, id: '00000000-0000-7000-8000-000000000001' as never, existed: false },
      );
    const served = await serve(core);
    const lines = await post(served, [spec('a'), spec('refused'), spec('b')].join('\n'));
    expect(lines[1]).toMatchObject({ error: { code: 'queueFull', status: 429, detail: 'no room', field: 'queue' } });
    expect([lines[0], lines[2]].every((line) => line !== undefined && 'id' in line)).toBe(true);
  });

  it('tells in every line of a chunk that it failed, and goes on with the next', async () => {
    const core = new FakeCore();
    const submit = core.submit.bind(core);
    let calls = 0;
    core.submit = async (who, items) => {
      calls += 1;
      if (calls === 2) throw new Fault('noLeader', 'no leader is known');
      return await submit(who, items);
    };
    const served = await serve(core);
    const body = [...specs(LIMITS.batchChunkJobs), 'bad', ...specs(2 * LIMITS.batchChunkJobs)];
    const lines = await post(served, body.join('\n'));
    const codes = outcomes(core, lines).filter((outcome) => outcome === 'noLeader');
    expect(lines).toHaveLength(body.length);
    expect(lines[LIMITS.batchChunkJobs]).toMatchObject({ error: { code: 'invalidRequest' } });
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.length).toBeLessThanOrEqual(LIMITS.batchChunkJobs);
    expect(lines.at(-1)).toHaveProperty('id');
  });

  it('hides what went wrong inside and logs it', async () => {
    const core = new FakeCore();
    core.submit = async () => {
      throw new TypeError('SECRET internals');
    };
    const served = await serve(core);
    const lines = await post(served, spec('a'));
    expect(lines).toMatchObject([{ error: { code: 'internal', status: 500 } }]);
    expect(JSON.stringify(lines)).not.toContain('SECRET');
    expect(served.logged()).toContain('SECRET internals');
  });

  it('counts its lines', async () => {
    const served = await serve();
    await post(served, [spec('a'), 'bad', spec('b')].join('\n'));
    const text = await served.registry.metrics();
    expect(text).toContain('quorate_http_batch_lines_total{outcome="accepted"} 2');
    expect(text).toContain('quorate_http_batch_lines_total{outcome="refused"} 1');
  });
});

describe('a batch as one array', () => {
  it.each(['application/json', 'application/x-ndjson', 'application/x-www-form-urlencoded'])(
    'is taken under the type %s',
    async (type) => {
      const served = await serve();
      const lines = await post(served, ` [ ${spec('a')} ,\n${spec('b')}\n]\n`, type);
      expect(outcomes(served.core, lines)).toEqual(['a', 'b']);
    },
  );

  it('is cut at its own commas only', async () => {
    const served = await serve();
    const command = ['],[', '"', '\\"],', '{', '}}', 'é💡'];
    const lines = await post(served, JSON.stringify([{ command }, { command, name: 'b' }]), 'application/json');
    expect(outcomes(served.core, lines)).toEqual([undefined, 'b']);
    expect([...served.core.stored.values()].map((job) => job.spec.command)).toEqual([command, command]);
  });

  it('may be empty', async () => {
    expect(await post(await serve(), '[ ]', 'application/json')).toEqual([]);
  });

  it.each([
    ['[{"command":["a"]},]', ['id', 'invalidRequest']],
    ['[,{"command":["a"]}]', ['invalidRequest', 'id']],
    ['[{"command":["a"]} {"command":["b"]},{"command":["c"]}]', ['invalidRequest', 'id']],
    ['[{"command":["a"]}] x', ['id', 'invalidRequest']],
    ['[{"command":["a"]},{"comm', ['id', 'invalidRequest']],
    ['[', ['invalidRequest']],
  ])('tells what is wrong with %s', async (body, wanted) => {
    const lines = await post(await serve(), body, 'application/json');
    expect(lines.map((line) => ('id' in line ? 'id' : line.error.code))).toEqual(wanted);
  });

  it('tells of an element that is too large, and takes the next', async () => {
    const served = await serve();
    const body = `[${spec('a')},${spec('x'.repeat(LIMITS.batchLineBytes))},${spec('b')}]`;
    expect(outcomes(served.core, await post(served, body, 'application/json'))).toEqual(['a', 'tooLarge', 'b']);
  });
});

describe('streaming a batch', () => {
  it('answers what came while more is still to come', async () => {
    const served = await serve();
    const { call, lines } = await startBatch(served);
    for (const name of ['first', 'second', 'third']) {
      call.write(`${spec(name)}\n`);
      const { value } = await lines.next();
      expect(outcomes(served.core, [JSON.parse(value as string) as BatchLine])).toEqual([name]);
    }
    call.end();
    expect((await lines.next()).done).toBe(true);
  });

  it('reads no further while too many chunks wait for their quorum', async () => {
    const { core, release, submitted } = heldCore();
    const served = await serve(core);
    const { call, response } = await startBatch(served);
    const one = `${spec('x'.repeat(200))}\n`;
    const block = one.repeat(LIMITS.batchChunkJobs);
    // More than the sockets between the two can hold; the client is told to wait.
    let blocked = false;
    for (let sent = 0; sent < 400 && !blocked; sent += 1) {
      blocked = !call.write(block) && (await staysBlocked(call));
    }
    expect(blocked).toBe(true);
    expect(submitted()).toBe(4);
    release();
    call.end();
    let count = 0;
    for await (const line of linesOf(response)) count += line === '' ? 0 : 1;
    expect(count % LIMITS.batchChunkJobs).toBe(0);
    expect(count).toBeGreaterThan(4 * LIMITS.batchChunkJobs);
  }, 60_000);

  it('proposes what came meanwhile as soon as nothing is under way, without a further byte', async () => {
    const { core, release, submitted } = heldCore();
    const served = await serve(core);
    const { call, lines } = await startBatch(served);
    call.write(`${spec('first')}\n`);
    while (submitted() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise<void>((resolve) => call.write(`${spec('second')}\n`, () => resolve()));
    await new Promise((resolve) => setTimeout(resolve, 100));
    release();
    for (const name of ['first', 'second']) {
      const { value } = await lines.next();
      expect(outcomes(core, [JSON.parse(value as string) as BatchLine])).toEqual([name]);
    }
    call.end();
  });

  it('reads no further when its client leaves', async () => {
    const { core, release, submitted } = heldCore();
    const served = await serve(core);
    const { call } = await startBatch(served);
    call.on('error', () => undefined);
    call.write(`${spec('a')}\n{"command":["unfinished"`);
    while (submitted() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    call.write(`"]}\n${spec('read and not proposed')}\n`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    call.destroy();
    // The node has to see that it left before the submission under way ends.
    await new Promise((resolve) => setTimeout(resolve, 100));
    release();
    while ((await served.registry.getSingleMetricAsString('quorate_http_requests_in_flight')).includes(' 1')) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(submitted()).toBe(1);
    expect([...core.stored.values()].map((job) => job.spec.name)).toEqual(['a']);
  });

  it('gives the answers under way and a last word when the node stops', async () => {
    const served = await serve();
    const { call, lines } = await startBatch(served);
    call.on('error', () => undefined);
    call.write(`${spec('a')}\n`);
    expect(JSON.parse((await lines.next()).value as string)).toHaveProperty('id');
    const closing = served.server.close();
    const last = JSON.parse((await lines.next()).value as string) as BatchLine;
    expect(last).toMatchObject({ error: { code: 'stopping' } });
    expect((await lines.next()).done).toBe(true);
    call.destroy();
    await closing;
  });

  it('is refused when too many batches are read already, until one of them ends', async () => {
    const served = await serve();
    const open = await Promise.all(Array.from({ length: LIMITS.batchesInFlight }, () => startBatch(served)));
    const refused = await served.ask('POST', PATH, { body: spec('a') });
    expect(refused.problem()).toMatchObject({ status: 429, limit: { name: 'batchesInFlight' } });
    for (const { call, response } of open) {
      call.end();
      response.resume();
    }
    await Promise.all(open.map(({ response }) => new Promise((resolve) => response.once('close', resolve))));
    expect(await post(served, spec('b'))).toHaveLength(1);
  });
});

describe('what a batch does not take', () => {
  it('is another content type', async () => {
    const { ask } = await serve();
    const answer = await ask('POST', PATH, { body: spec('a'), headers: { 'content-type': 'text/plain' } });
    expect(answer.status).toBe(415);
  });

  it('is an Idempotency-Key, which would be ignored', async () => {
    const { ask, core } = await serve();
    const answer = await ask('POST', PATH, { body: spec('a'), headers: { ...NDJSON, 'idempotency-key': 'k' } });
    expect(answer.problem()).toMatchObject({ status: 400, code: 'notSupported', field: 'Idempotency-Key' });
    expect(core.called('submit')).toEqual([]);
  });
});

async function startBatch(
  served: Served,
): Promise<{ call: ClientRequest; response: IncomingMessage; lines: AsyncGenerator<string, void> }> {
  const call = served.open('POST', PATH, { ...NDJSON, 'transfer-encoding': 'chunked' });
  const answer = responseTo(call);
  call.flushHeaders();
  const response = await answer;
  return { call, response, lines: linesOf(response) };
}

/** A core whose submissions wait until they are released. */
function heldCore() {
  const core = new FakeCore();
  const submit = core.submit.bind(core);
  const gate = Promise.withResolvers<void>();
  let count = 0;
  core.submit = async (who, items) => {
    count += 1;
    await gate.promise;
    return await submit(who, items);
  };
  return { core, release: () => gate.resolve(), submitted: () => count };
}

/** Whether the socket stays full although the server had a while to read. */
async function staysBlocked(call: ClientRequest): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const onDrain = (): void => resolve(false);
  call.once('drain', onDrain);
  const timer = setTimeout(() => resolve(true), 1_000);
  const blocked = await promise;
  clearTimeout(timer);
  call.off('drain', onDrain);
  return blocked;
}
