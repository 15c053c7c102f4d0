import { describe, expect, it } from 'vitest';
import type { BatchLine, Problem } from '../../src/api/views.ts';
import { LIMITS } from '../../src/limits.ts';
import { parseLines } from '../support/http-client.ts';
import { useCluster } from '../support/use-cluster.ts';

const GOOD = { command: ['true'] };

describe('bad input over HTTP', () => {
  const cluster = useCluster({ size: 1 });

  async function refusal(spec: unknown): Promise<Problem> {
    const answer = await cluster().node(0).api.http.post('/v1/jobs', spec);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    const problem = answer.json<Problem>();
    expect(problem.status).toBe(answer.status);
    return problem;
  }

  it.each([
    ['an unknown field', { ...GOOD, comand: ['x'] }, { status: 400, code: 'unknownField', field: 'comand' }],
    ['a wrong type', { command: 'true' }, { status: 400, code: 'invalidRequest', field: 'command' }],
    ['a wrong type deep inside', { command: ['a', 1] }, { status: 400, code: 'invalidRequest', field: 'command[1]' }],
    ['a missing command', {}, { status: 400, code: 'invalidRequest', field: 'command' }],
    ['an empty command', { command: [] }, { status: 400, code: 'invalidRequest', field: 'command' }],
    ['a broken duration', { ...GOOD, timeout: '3 moons' }, { status: 400, code: 'invalidRequest', field: 'timeout' }],
    [
      'a constraint that does not parse',
      { ...GOOD, constraints: ['os == linux', 'arch in amd64'] },
      {
        status: 400,
        code: 'invalidRequest',
        field: 'constraints[1]',
        detail: expect.stringContaining('expected "(" at column 9') as string,
      },
    ],
    [
      'what no runner could ever hold',
      { ...GOOD, resources: { cpu: 50_000 }, infeasible: 'refuse' },
      {
        status: 422,
        code: 'infeasible',
        field: 'resources.cpu',
        detail: expect.stringContaining('it asks for 50000') as string,
      },
    ],
    ['a field of a later part', { ...GOOD, image: 'x' }, { status: 400, code: 'notSupported', field: 'image' }],
    ['a list for a body', [GOOD], { status: 400, code: 'invalidRequest' }],
  ])('refuses %s with a code and the field at fault', async (_what, spec, expected) => {
    expect(await refusal(spec)).toMatchObject(expected);
  });

  it('refuses a spec that is too large, and names the limit', async () => {
    const problem = await refusal({ ...GOOD, stdin: 'x'.repeat(LIMITS.specBytes + 1) });
    expect(problem).toMatchObject({
      status: 413,
      code: 'tooLarge',
      limit: { name: 'specBytes', value: LIMITS.specBytes },
    });
  });

  it('refuses a body that is no JSON', async () => {
    const answer = await cluster().node(0).api.http.send('POST', '/v1/jobs', { body: '{"command":' });
    expect([answer.status, answer.json<Problem>().code]).toEqual([400, 'invalidRequest']);
  });

  it('takes the good lines around a bad one in a batch, and answers in order', async () => {
    const lines = [GOOD, 'this is no JSON', { ...GOOD, colour: 'red' }, GOOD, '{"command":["true"]', GOOD];
    const { http } = cluster().node(0).api;
    const answers = parseLines<BatchLine>((await http.postLines('/v1/jobs/batch', lines)).text);
    const kinds = answers.map((line) => ('id' in line ? 'ok' : line.error.code));
    expect(kinds).toEqual(['ok', 'invalidRequest', 'unknownField', 'ok', 'invalidRequest', 'ok']);
    for (const line of answers) {
      if ('id' in line) expect((await cluster().node(0).api.waitFinal(line.id)).state).toBe('succeeded');
    }
  });

  it('refuses one oversized line of a batch and goes on behind it', async () => {
    const large = { ...GOOD, stdin: 'x'.repeat(LIMITS.batchLineBytes) };
    const answers = await cluster().node(0).api.submitBatch([GOOD, large, GOOD]);
    expect(answers.map((line) => ('id' in line ? 'ok' : line.error.code))).toEqual(['ok', 'tooLarge', 'ok']);
  });

  it.each([
    ['/v1/jobs/018f0000-0000-7000-8000-000000000000', 404, 'notFound'],
    ['/v1/jobs/no-id', 404, 'notFound'],
    ['/v1/jobs?limit=a', 400, 'invalidRequest'],
    ['/v1/jobs?state=sleeping', 400, 'invalidRequest'],
    ['/v1/jobs?cursor=%00', 400, 'invalidRequest'],
    ['/v1/nothing', 404, 'notFound'],
  ])('answers GET %s with %i %s', async (path, status, code) => {
    const answer = await cluster().node(0).api.http.get(path);
    expect([answer.status, answer.json<Problem>().code]).toEqual([status, code]);
  });

  it('says that a command was not found, in the job', async () => {
    const { id } = await cluster()
      .node(0)
      .api.submit({ command: ['/no/such/program'] });
    const job = await cluster().node(0).api.waitFinal(id);
    expect(job.state).toBe('failed');
    expect(job.reason ?? job.attempts[0]?.reason).toMatch(/not found|no such/i);
  });

  it('still works after all that', async () => {
    const { id } = await cluster().node(0).api.submit(GOOD);
    expect((await cluster().node(0).api.waitFinal(id)).state).toBe('succeeded');
  });
});
