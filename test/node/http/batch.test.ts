import type { ClientRequest, IncomingMessage } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { LineNames, NameBudget } from '../../../node/http/line-names.ts';
import type { BatchLine } from '../../../src/api/views.ts';
import type { Identity } from '../../../src/auth.ts';
import { Fault } from '../../../src/errors.ts';
import { type JobId, lineId } from '../../../src/ids.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { SubmitItem, SubmitResult } from '../../../node/core.ts';
import { BASE, FakeCore } from './fake-core.ts';
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

/** A core that refuses what depends on a job that it has not taken, as apply does, and jobs named `bad`. */
class OrderlyCore extends FakeCore {
  override async submit(who: Identity, items: readonly SubmitItem[]): Promise<readonly SubmitResult[]> {
    const results: SubmitResult[] = [];
    for (const item of items) results.push(this.#refusalOf(item) ?? (await super.submit(who, [item]))[0]!);
    return results;
  }

  #refusalOf({ spec: { name, dependsOn = [] } }: SubmitItem): SubmitResult | null {
    if (name === 'bad') return { ok: false, code: 'groupClosed', message: 'no', field: 'group' };
    if (dependsOn.every(({ job }) => this.stored.has(job))) return null;
    return { ok: false, code: 'unknownDependency', message: 'no job has this id', field: 'dependsOn' };
  }
}

function named(ref: string | null, on: readonly (string | object)[] = [], more: object = {}): string {
  const dependsOn = on.map((dependency) => (typeof dependency === 'string' ? { ref: dependency } : dependency));
  return JSON.stringify({ command: ['true'], ...(ref === null ? {} : { ref, name: ref }), dependsOn, ...more });
}

describe('lines that name others', () => {
  it('depend on the jobs that those became', async () => {
    const served = await serve(new OrderlyCore());
    const lines = await post(
      served,
      [named('a'), named('b', ['a']), named('c', [{ ref: 'a', on: 'failed' }]), named(null, ['b', 'c'])].join('\n'),
    );
    const [a, b, c, d] = lines.map((line) => ('id' in line ? served.core.stored.get(line.id as never) : null));
    expect([b, c, d].map((job) => job?.spec.dependsOn)).toEqual([
      [{ job: a?.id }],
      [{ job: a?.id, on: 'failed' }],
      [{ job: b?.id }, { job: c?.id }],
    ]);
    expect(a?.spec).toEqual({ command: ['true'], name: 'a', dependsOn: [] });
  });

  it('may be elements of an array', async () => {
    const served = await serve(new OrderlyCore());
    const lines = await post(served, `[${named('a')},${named('b', ['a'])}]`, 'application/json');
    expect(outcomes(served.core, lines)).toEqual(['a', 'b']);
  });

  it('are taken across chunks that are decided in another order', async () => {
    const core = new OrderlyCore();
    const submit = core.submit.bind(core);
    let chunks = 0;
    core.submit = async (who, items) => {
      chunks += 1;
      // The first chunks come last.
      if (chunks <= 3) await new Promise((resolve) => setTimeout(resolve, 40 - 10 * chunks));
      return await submit(who, items);
    };
    const served = await serve(core);
    const count = 4 * LIMITS.batchChunkJobs;
    const chain = Array.from({ length: count }, (_, n) => named(`job-${n}`, n === 0 ? [] : [`job-${n - 1}`]));
    const lines = await post(served, chain.join('\n'));
    expect(outcomes(core, lines)).toEqual(Array.from({ length: count }, (_, n) => `job-${n}`));
    expect(chunks).toBeGreaterThan(4);
  });

  it('go by the job that an earlier submission made of the line', async () => {
    const core = new OrderlyCore();
    const known = core.addJob().id as JobId;
    const submit = core.submit.bind(core);
    core.submit = async (who, items) => {
      const results = await submit(
        who,
        items.filter(({ spec }) => spec.name !== 'a'),
      );
      const others = results.values();
      return items.map(({ spec }) =>
        spec.name === 'a' ? { ok: true, id: known, existed: true } : others.next().value!,
      );
    };
    const served = await serve(core);
    const lines = await post(served, [named('a'), named('b', ['a'])].join('\n'));
    expect(lines[0]).toEqual({ id: known });
    expect([...core.stored.values()].find(({ spec }) => spec.name === 'b')?.spec.dependsOn).toEqual([{ job: known }]);
  });

  it.each([
    ['by its spec', named('bad', [], { command: 5 }), 'invalidRequest'],
    ['by the core', named('bad'), 'groupClosed'],
  ])('are refused with one that was refused %s, and so is what depends on them', async (_who, bad, code) => {
    const served = await serve(new OrderlyCore());
    const lines = await post(served, [bad, named('b', ['bad']), named('c', ['b']), named('d')].join('\n'));
    expect(outcomes(served.core, lines)).toEqual([code, 'dependencyRefused', 'dependencyRefused', 'd']);
    expect(lines[1]).toMatchObject({
      error: {
        status: 422,
        field: 'dependsOn[0].ref',
        detail: expect.stringContaining(`"bad" was not taken (${code})`),
      },
    });
    expect(lines[2]).toMatchObject({
      error: { detail: expect.stringContaining('"b" was not taken (dependencyRefused)') },
    });
  });

  it('are refused with one whose fate nobody knows', async () => {
    const core = new OrderlyCore();
    const submit = core.submit.bind(core);
    core.submit = async (who, items) => {
      if (items.some(({ spec }) => spec.name === 'lost')) throw new Fault('timedOut', 'no result came in time');
      return await submit(who, items);
    };
    const served = await serve(core);
    const filling = specs(LIMITS.batchChunkJobs - 1);
    const lines = await post(served, [named('lost'), ...filling, named('b', ['lost'])].join('\n'));
    expect(lines.at(-1)).toMatchObject({
      error: { code: 'dependencyRefused', detail: expect.stringContaining('timedOut') },
    });
  });

  it.each([
    ['nobody', [named('a', ['b'])], { code: 'unknownRef', status: 422, field: 'dependsOn[0].ref' }],
    ['itself', [named('a', ['a'])], { code: 'unknownRef' }],
    ['a line below', [named('a', ['b']), named('b')], { code: 'unknownRef' }],
    ['each other', [named('a', ['b']), named('b', ['a'])], { code: 'unknownRef' }],
    ['one name twice', [named('b'), named('a', ['b', 'b'])], { code: 'invalidRequest', field: 'dependsOn' }],
    ['neither a job nor a name', [named('a', [{ on: 'failed' }])], { code: 'invalidRequest', field: 'dependsOn[0]' }],
    ['a name of no characters', [named('a', [''])], { code: 'invalidRequest', field: 'dependsOn[0].ref' }],
    ['a name that is too long', [named('x'.repeat(129))], { code: 'invalidRequest', field: 'ref' }],
    ['a name that is taken', [named('b'), named('b')], { code: 'conflict', status: 409, field: 'ref' }],
  ])('are refused when they name %s', async (_whom, batch, expected) => {
    const served = await serve(new OrderlyCore());
    const lines = await post(served, batch.join('\n'));
    expect(lines.find((line) => 'error' in line)).toMatchObject({ error: expected });
  });

  it('with no room for further names are refused, until other batches have ended', async () => {
    const budget = new NameBudget();
    const first = new LineNames(budget);
    for (let n = 0; n < LIMITS.batchRefs; n += 1) first.add(String(n), '' as JobId);
    const other = new LineNames(budget);
    expect(() => other.add('a', '' as JobId)).toThrow(
      expect.objectContaining({ code: 'tooManyRequests', details: expect.objectContaining({ field: 'ref' }) }),
    );
    first.release();
    expect(other.add('a', '' as JobId).state).toBe('open');
  });

  it('hold no names once the batch has ended', async () => {
    const released = vi.spyOn(LineNames.prototype, 'release');
    const served = await serve(new OrderlyCore());
    await post(served, named('a'));
    expect(released).toHaveBeenCalledTimes(1);
    released.mockRestore();
  });
});

describe('a batch under a key', () => {
  it('gives each line its number and an id that is counted from one base', async () => {
    const { ask, core } = await serve();
    const body = [spec('a'), 'bad', '', spec('b')].join('\n');
    const headers = { ...NDJSON, 'idempotency-key': 'k' };
    await ask('POST', `${PATH}?from=100`, { body, headers });
    const items = core.called('submit').flatMap((call) => call[1] as SubmitItem[]);
    expect(items.map(({ id, batch }) => [id, batch])).toEqual([
      [lineId(BASE, 100), { key: 'k', line: 100, base: BASE }],
      [lineId(BASE, 102), { key: 'k', line: 102, base: BASE }],
    ]);
  });

  it('has no more lines than one without', async () => {
    const { ask } = await serve();
    const headers = { ...NDJSON, 'idempotency-key': 'k' };
    const { text } = await ask('POST', `${PATH}?from=${LIMITS.batchJobs}`, { body: specs(3).join('\n'), headers });
    const [first, second, third] = text.split('\n');
    expect(first).toContain('"id"');
    expect(second).toContain('batchJobs');
    expect(third).toBe('');
  });
});

describe('what a batch does not take', () => {
  it('is another content type', async () => {
    const { ask } = await serve();
    const answer = await ask('POST', PATH, { body: spec('a'), headers: { 'content-type': 'text/plain' } });
    expect(answer.status).toBe(415);
  });

  it.each([
    ['a key that is none', PATH, 'two words', 'Idempotency-Key'],
    ['a first line that is none', `${PATH}?from=0`, 'k', 'from'],
  ])('is %s', async (_what, path, key, field) => {
    const { ask, core } = await serve();
    const answer = await ask('POST', path, { body: spec('a'), headers: { ...NDJSON, 'idempotency-key': key } });
    expect(answer.problem()).toMatchObject({ status: 400, code: 'invalidRequest', field });
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
