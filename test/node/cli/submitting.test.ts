import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BatchLine } from '../../../src/api/views.ts';
import {
  answerJson,
  answerProblem,
  END_EVENT,
  type FakeHandler,
  JOB_ID,
  jobThatEnds,
  jobView,
  logEvent,
} from '../../support/fake-api.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';

const cli = useFakeCommandLine();

describe('quorate run', () => {
  it('shows both streams byte for byte where they belong, and succeeds silently', async () => {
    cli.api.handler = jobThatEnds(
      {},
      logEvent('stdout', 'out\r\n\u001b[1mé') + logEvent('stderr', 'err\n') + END_EVENT,
    );
    expect(await cli.quorate(['run', '--', 'x'])).toEqual({ code: 0, stdout: 'out\r\n\u001b[1mé', stderr: 'err\n' });
  });

  it.each([
    ['its own code', { state: 'failed', exitCode: 42 }, 42],
    ['128 and the number of the signal that ended it', { state: 'failed', exitCode: null, signal: 'SIGKILL' }, 137],
    ['1 when it was lost', { state: 'lost', exitCode: null, reason: 'the runner is gone' }, 1],
    ['1 when it timed out and yet ended with 0', { state: 'timedOut', exitCode: 0 }, 1],
    ['1 when it was never started', { state: 'expired', attempts: [] }, 1],
    ['the code of a command that was not found', { state: 'failed', exitCode: 127, reason: 'command not found' }, 127],
  ] as const)('ends with %s', async (_what, end, code) => {
    cli.api.handler = jobThatEnds(end);
    const result = await cli.quorate(['run', '--', 'x']);
    expect(result.code).toBe(code);
    if ('reason' in end) expect(result.stderr).toContain(end.reason);
  });

  it('still tells the end when the output cannot be had', async () => {
    cli.api.handler = (request, response) => {
      if (request.path.endsWith('/logs')) answerProblem(response, 404, 'logUnavailable');
      else jobThatEnds({ state: 'failed', exitCode: 3 })(request, response);
    };
    const result = await cli.quorate(['run', '--', 'x']);
    expect(result.code).toBe(3);
    expect(result.stderr).toContain('(logUnavailable)');
  });

  it('sends all that its flags say', async () => {
    cli.api.handler = jobThatEnds({});
    const input = join(cli.folder, 'input');
    await writeFile(input, 'text');
    const flags = [
      ['--name', 'unit tests', '--project', 'p', '--queue', 'q', '--label', 'team=core', '--label', 'x=a=b'],
      ['--env', 'A=1', '--env', 'PASSED', '--workdir', 'sub', '--stdin', input, '--cpu', '0.5', '--memory', '1GiB'],
      ['--gpu', '1', '--constraint', 'os == linux', '--constraint', 'zone != a', '--priority', '9'],
      [
        '--timeout',
        '10m',
        '--queue-timeout',
        '1h',
        '--refuse-infeasible',
        '--idle-timeout',
        '5m',
        '--retention',
        '2d',
        '--not-before',
        '2030-01-01T00:00:00Z',
        '--retry',
        '2',
      ],
    ].flat();
    await cli.quorate(['run', ...flags, '--', 'make', '-k', 'test'], '', { PASSED: 'on' });
    const [submitted] = cli.api.requests;
    expect(JSON.parse(submitted?.body ?? '')).toEqual({
      command: ['make', '-k', 'test'],
      name: 'unit tests',
      project: 'p',
      queue: 'q',
      labels: { team: 'core', x: 'a=b' },
      env: { A: '1', PASSED: 'on' },
      workdir: 'sub',
      stdin: 'text',
      resources: { cpu: 0.5, memory: '1GiB', gpu: 1 },
      constraints: ['os == linux', 'zone != a'],
      priority: 9,
      timeout: '10m',
      idleTimeout: '5m',
      queueTimeout: '1h',
      retention: '2d',
      notBefore: '2030-01-01T00:00:00Z',
      retry: { max: 2 },
      infeasible: 'refuse',
    });
    expect(submitted?.headers['idempotency-key']).toBeDefined();
    expect(submitted?.headers.authorization).toBe('Bearer qt_test');
  });

  it('leaves the flags of the command to the command, also without --', async () => {
    cli.api.handler = jobThatEnds({});
    await cli.quorate(['run', '--retry', 'never', 'echo', '--name', 'x', '--help']);
    expect(JSON.parse(cli.api.requests[0]?.body ?? '')).toEqual({
      command: ['echo', '--name', 'x', '--help'],
      retry: 'never',
    });
  });

  it('prints the id and leaves when detached', async () => {
    cli.api.handler = jobThatEnds({});
    expect(await cli.quorate(['run', '--detach', '--', 'x'])).toEqual({ code: 0, stdout: `${JOB_ID}\n`, stderr: '' });
    expect(cli.api.requests).toHaveLength(1);
  });
});

describe('quorate submit', () => {
  it('reads a spec, changes it by flags, and prints the id', async () => {
    cli.api.handler = jobThatEnds({});
    const spec = JSON.stringify({ command: ['a'], name: 'old', queue: 'q' });
    const args = ['submit', '--file', '-', '--name', 'new', '--idempotency-key', 'k1'];
    expect(await cli.quorate(args, spec)).toEqual({ code: 0, stdout: `${JOB_ID}\n`, stderr: '' });
    expect(JSON.parse(cli.api.requests[0]?.body ?? '')).toEqual({ command: ['a'], name: 'new', queue: 'q' });
    expect(cli.api.requests[0]?.headers['idempotency-key']).toBe('k1');
  });

  it.each([
    ['nothing to submit', ['submit'], ''],
    ['a file that is no JSON', ['submit', '--file', '-'], '{'],
    ['a list of specs', ['submit', '--file', '-'], '[]'],
    ['standard input taken twice', ['submit', '--file', '-', '--stdin', '-'], '{}'],
    ['a label without a value', ['submit', '--label', 'x', '--', 'a'], ''],
    ['a variable that is not set here', ['submit', '--env', 'NOT_SET_ANYWHERE', '--', 'a'], ''],
    ['a number that is none', ['submit', '--cpu', 'two', '--', 'a'], ''],
  ])('ends with 2 for %s, and asks nobody', async (_what, args, stdin) => {
    expect(await cli.quorate(args, stdin)).toMatchObject({ code: 2, stdout: '' });
    expect(cli.api.requests).toHaveLength(0);
  });
});

describe('quorate batch', () => {
  const refusal = { type: 'x', title: 'x', status: 400, code: 'invalidRequest', detail: 'no such field' };

  function answerBatch(answerOf: (job: string) => BatchLine): FakeHandler {
    return ({ path, body }, response) => {
      if (!path.endsWith('/batch')) return answerJson(response, jobView({ id: path.split('/')[3] ?? '' }));
      const jobs = body.split('\n').filter((line) => line !== '');
      return response.end(jobs.map((job) => `${JSON.stringify(answerOf(job))}\n`).join(''));
    };
  }

  it('prints the ids in order, from a file or from standard input', async () => {
    cli.api.handler = answerBatch((job) => ({ id: `id-${job}` }));
    const file = join(cli.folder, 'jobs');
    await writeFile(file, '1\n2\n3');
    const expected = { code: 0, stdout: 'id-1\nid-2\nid-3\n', stderr: '' };
    expect(await cli.quorate(['batch', file])).toEqual(expected);
    expect(await cli.quorate(['batch', '-'], '1\n2\n\n3\n')).toEqual(expected);
  });

  it('sends its lines under a key, its own or the one that it is given', async () => {
    cli.api.handler = answerBatch((job) => ({ id: `id-${job}` }));
    await cli.quorate(['batch', '--idempotency-key', 'night', '-'], '1\n');
    await cli.quorate(['batch', '-'], '1\n');
    const [given, made] = cli.api.requests.map(({ headers }) => headers['idempotency-key']);
    expect(given).toBe('night');
    expect(made).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('ends with 4 and tells which line was refused', async () => {
    cli.api.handler = answerBatch((job) => (job === '2' ? { error: refusal } : { id: job }));
    const result = await cli.quorate(['batch', '-'], '1\n2\n3\n');
    expect(result).toMatchObject({ code: 4, stdout: '1\n3\n' });
    expect(result.stderr).toContain('job 2: no such field (invalidRequest)');
    expect(result.stderr).toContain('1 of 3 jobs');
  });

  it('prints every answer in its place with --json', async () => {
    cli.api.handler = answerBatch((job) => (job === '2' ? { error: refusal } : { id: job }));
    const { stdout } = await cli.quorate(['batch', '--json', '-'], '1\n2\n3\n');
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([{ id: '1' }, { error: refusal }, { id: '3' }]);
  });

  it('waits for all, and ends with 1 when one failed', async () => {
    cli.api.handler = (request, response) => {
      if (request.path.endsWith('/batch')) return answerBatch((job) => ({ id: job }))(request, response);
      const id = request.path.split('/')[3] ?? '';
      return answerJson(response, jobView({ id, state: id === '2' ? 'failed' : 'succeeded', exitCode: 1 }));
    };
    const result = await cli.quorate(['batch', '--wait', '-'], '1\n2\n3\n');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('job 2 failed');
    expect(cli.api.requests.filter(({ path }) => path.endsWith('/wait'))).toHaveLength(3);
  });

  it('tells how to send an array, and that a file is missing', async () => {
    expect(await cli.quorate(['batch', '-'], ' [{"command":["a"]}]')).toMatchObject({ code: 2 });
    const missing = await cli.quorate(['batch', join(cli.folder, 'gone')]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toMatch(/gone: no such file \(ENOENT\)/);
    expect(cli.api.requests).toHaveLength(0);
  });
});
