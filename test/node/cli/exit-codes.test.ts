import { execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { answerJson, answerProblem, JOB_ID, jobView, refusedUrl } from '../../support/fake-api.ts';
import { QUORATE } from '../../support/node-process.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';

const cli = useFakeCommandLine();

describe('the exit code', () => {
  it('is 0 for help and for the version', async () => {
    for (const args of [['--help'], ['run', '--help'], ['help', 'run'], ['version']]) {
      expect(await cli.quorate(args), args.join(' ')).toMatchObject({ code: 0, stderr: '' });
    }
  });

  it.each([
    ['an unknown command', ['frob']],
    ['an unknown flag', ['jobs', '--frob']],
    ['a missing operand', ['status']],
    ['an operand too many', ['status', 'a', 'b']],
    ['a state that there is not', ['jobs', '--state', 'odd']],
    ['an address that is none', ['jobs', '--url', 'ftp://x']],
    ['a shell that is not known', ['completion', 'csh']],
    ['no command at all', []],
  ])('is 2 for %s, with what to do next', async (_what, args) => {
    const result = await cli.quorate(args);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(/next: |Usage: /);
  });

  it('is 3 when no node is reachable, in two lines', async () => {
    const url = `${await refusedUrl()},${await refusedUrl()}`;
    const result = await cli.quorate(['jobs'], '', { QUORATE_URL: url });
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(result.stderr).toMatch(
      /^quorate: no node is reachable: .*connection refused.* \(noNodeReachable\)\n  next: .*\n$/,
    );
  });

  it('is 4 for a refusal, with the code and the field', async () => {
    cli.api.handler = (_request, response) =>
      answerProblem(response, 400, 'invalidRequest', { field: 'resources.memory' });
    const result = await cli.quorate(['submit', '--', 'x']);
    expect(result).toMatchObject({ code: 4, stdout: '' });
    expect(result.stderr).toContain('[resources.memory] (invalidRequest)');
  });

  it('is 4 with a word on tokens for one that is not known', async () => {
    cli.api.handler = (_request, response) => answerProblem(response, 401, 'unauthenticated');
    const result = await cli.quorate(['jobs']);
    expect(result.code).toBe(4);
    expect(result.stderr).toContain('QUORATE_TOKEN');
  });
});

describe('addresses and tokens', () => {
  it('come from flags before the environment, on either side of the command', async () => {
    cli.api.handler = (_request, response) => answerJson(response, jobView());
    const env = { QUORATE_URL: await refusedUrl(), QUORATE_TOKEN: 'qt_env' };
    const flags = ['--url', cli.api.url, '--token', 'qt_flag'];
    expect((await cli.quorate(['status', ...flags, JOB_ID], '', env)).code).toBe(0);
    expect((await cli.quorate([...flags, 'status', JOB_ID], '', env)).code).toBe(0);
    expect(cli.api.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer qt_flag', 'Bearer qt_flag']);
  });

  it('may be several, of which one answers', async () => {
    cli.api.handler = (_request, response) => answerJson(response, jobView());
    const away = await refusedUrl();
    expect((await cli.quorate(['status', JOB_ID, '--url', away, '--url', cli.api.url])).code).toBe(0);
    expect((await cli.quorate(['status', JOB_ID], '', { QUORATE_URL: `${away}, ${cli.api.url}` })).code).toBe(0);
  });
});

describe('the program', () => {
  it('starts through links, from any folder', async () => {
    await mkdir(join(cli.folder, 'bin'));
    await symlink(QUORATE, join(cli.folder, 'bin/first'));
    await symlink('first', join(cli.folder, 'bin/second'));
    const stdout = execFileSync(join(cli.folder, 'bin/second'), ['version', '--json'], { cwd: '/', encoding: 'utf8' });
    expect(JSON.parse(stdout)).toMatchObject({ version: expect.stringMatching(/^\d/) as string });
  });
});
