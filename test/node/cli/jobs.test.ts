import { describe, expect, it } from 'vitest';
import {
  answerJson,
  answerProblem,
  attemptView,
  END_EVENT,
  JOB_ID,
  jobThatEnds,
  jobView,
  logEvent,
} from '../../support/fake-api.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';

const cli = useFakeCommandLine();

describe('quorate jobs, status, wait', () => {
  it('lists jobs in a table that no name can break', async () => {
    const spec = { command: ['sh', '-c', 'echo "hi"'], name: 'evil\u001b[2J\nname' };
    cli.api.handler = (_request, response) => answerJson(response, { items: [jobView({ spec })], nextCursor: null });
    const { code, stdout } = await cli.quorate(['jobs', '--state', 'failed', '--label', 'a=b']);
    expect(code).toBe(0);
    expect(stdout.split('\n')).toHaveLength(3);
    expect(stdout).not.toContain('\u001b');
    expect(stdout).toContain(JOB_ID);
    expect(Object.fromEntries(cli.api.requests[0]?.query ?? [])).toMatchObject({ state: 'failed', label: 'a=b' });
  });

  it('lists no more than asked for, and tells that there are more', async () => {
    const items = ['a', 'b', 'c'].map((id) => jobView({ id }));
    cli.api.handler = (_request, response) => answerJson(response, { items, nextCursor: null });
    const result = await cli.quorate(['jobs', '--limit', '2']);
    expect(result.stdout.trim().split('\n')).toHaveLength(3);
    expect(result.stderr).toContain('--all');
    expect((await cli.quorate(['jobs', '--all', '--json'])).stdout.trim().split('\n')).toHaveLength(3);
  });

  it('shows a job with its attempts and why it waits', async () => {
    const usage = { cpuUserMs: 1500, cpuSystemMs: 0, maxRssBytes: 3 * 2 ** 20 };
    const waitsFor = { why: 'backoff', until: '2030-01-01T00:00:00.000Z' } as const;
    const attempts = [attemptView({ state: 'failed', exitCode: 7, usage, reason: 'no space' })];
    cli.api.handler = (_request, response) => answerJson(response, jobView({ state: 'waiting', waitsFor, attempts }));
    const { stdout } = await cli.quorate(['status', JOB_ID]);
    for (const part of [JOB_ID, 'until 2030-01-01', '1.5s', '3MiB', 'runner-1', 'no space'])
      expect(stdout).toContain(part);
  });

  it('gives the job itself with --json', async () => {
    cli.api.handler = (_request, response) => answerJson(response, jobView());
    expect(JSON.parse((await cli.quorate(['status', '--json', JOB_ID])).stdout)).toEqual(jobView());
  });

  it('waits for each job and ends with 1 when one did not succeed', async () => {
    cli.api.handler = ({ path }, response) => {
      const id = path.split('/')[3] ?? '';
      answerJson(
        response,
        jobView({ id, state: id === 'bad' ? 'failed' : 'succeeded', exitCode: id === 'bad' ? 2 : 0 }),
      );
    };
    expect(await cli.quorate(['wait', 'good'])).toEqual({ code: 0, stdout: 'good succeeded\n', stderr: '' });
    const result = await cli.quorate(['wait', 'bad', 'good']);
    expect(result).toEqual({ code: 1, stdout: 'bad failed with exit code 2\ngood succeeded\n', stderr: '' });
  });

  it('ends with 1 when the time to wait is over', async () => {
    cli.api.handler = (_request, response) => answerJson(response, jobView({ state: 'running' }));
    const result = await cli.quorate(['wait', '--timeout', '1ms', JOB_ID]);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('still running');
    expect((await cli.quorate(['wait', '--timeout', 'soon', JOB_ID])).code).toBe(2);
  });
});

describe('quorate logs, cancel, retry', () => {
  it('shows one stream alone where it can be piped on', async () => {
    cli.api.handler = jobThatEnds({}, logEvent('stderr', 'err') + END_EVENT);
    expect(await cli.quorate(['logs', '--stderr', '--tail', '3', JOB_ID])).toEqual({
      code: 0,
      stdout: 'err',
      stderr: '',
    });
    const asked = cli.api.requests.find(({ path }) => path.endsWith('/logs'));
    expect(Object.fromEntries(asked?.query ?? [])).toEqual({ stream: 'stderr', tail: '3', attempt: '1' });
    expect((await cli.quorate(['logs', '--stderr', '--stdout', JOB_ID])).code).toBe(2);
  });

  it('cancels each job that it can', async () => {
    cli.api.handler = ({ path, query }, response) => {
      const id = path.split('/')[3] ?? '';
      if (id === 'done') return answerProblem(response, 409, 'alreadyFinal');
      expect(query.get('mode')).toBe('queued');
      return answerJson(response, jobView({ id, state: 'cancelled' }));
    };
    const result = await cli.quorate(['cancel', '--queued', 'done', 'open']);
    expect(result).toMatchObject({ code: 4, stdout: 'open cancelled\n' });
    expect(result.stderr).toContain('(alreadyFinal)');
  });

  it('gives a job another attempt', async () => {
    cli.api.handler = (_request, response) => answerJson(response, jobView({ state: 'queued' }));
    expect(await cli.quorate(['retry', JOB_ID])).toEqual({ code: 0, stdout: `${JOB_ID} queued\n`, stderr: '' });
    expect(cli.api.requests[0]).toMatchObject({ method: 'POST', path: `/v1/jobs/${JOB_ID}/retry` });
  });
});
