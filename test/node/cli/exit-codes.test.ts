import { execFile, execFileSync } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { answerJson, answerProblem, JOB_ID, jobView, refusedUrl } from '../../support/fake-api.ts';
import { cleanEnvironment, QUORATE } from '../../support/node-process.ts';
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

describe('a refusal', () => {
  it.each([
    ['status', ['status', 'x'], 'quorate jobs'],
    ['logs', ['logs', 'x'], 'quorate jobs'],
    ['drain', ['drain', 'x'], 'quorate runners'],
    ['group status', ['group', 'status', 'x'], 'quorate group list'],
    ['token revoke', ['token', 'revoke', 'x'], 'quorate token list'],
    ['cluster remove', ['cluster', 'remove', 'x'], 'quorate cluster status'],
  ])('of %s for what is not there tells what lists what is', async (_what, args, list) => {
    cli.api.handler = (_request, response) => answerProblem(response, 404, 'notFound');
    expect((await cli.quorate(args)).stderr).toBe(
      `quorate: told notFound (notFound)\n  next: list what there is: ${list}\n`,
    );
  });

  it.each([
    ['forbidden', 403, /quorate token create --scope/],
    ['unauthenticated', 401, /--token or QUORATE_TOKEN/],
    ['unknownGroup', 404, /quorate group list/],
    ['groupClosed', 409, /quorate group create/],
    ['idempotencyConflict', 409, /another key/],
  ])('with the code %s tells what to do next', async (code, status, next) => {
    cli.api.handler = (_request, response) => answerProblem(response, status, code);
    const { stderr } = await cli.quorate(['submit', '--', 'true']);
    expect(stderr).toMatch(next);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
  });
});

describe('a wrong word', () => {
  it.each([
    ['a flag of a command', ['jobs', '--frob'], 'quorate jobs --help'],
    ['a flag of a command below another', ['queues', 'set', 'q', '--frob'], 'quorate queues set --help'],
    ['an operand that is missing below another', ['group', 'wait'], 'quorate group wait --help'],
  ])('for %s is answered with the help that tells the right one', async (_what, args, help) => {
    expect((await cli.quorate(args)).stderr).toMatch(new RegExp(`\\(usage\\)\\n  next: ${help}\\n$`));
  });

  it('that is nearly a right one is answered with that', async () => {
    const { stderr } = await cli.quorate(['jbos']);
    expect(stderr).toBe("quorate: unknown command 'jbos'; did you mean jobs? (usage)\n  next: quorate --help\n");
  });
});

describe('standard output', () => {
  /** What a shell prints of it. */
  async function inShell(words: string): Promise<string> {
    const env = cleanEnvironment({ QUORATE_URL: cli.api.url });
    const script = `"$0" jobs ${words}; echo "ended with $?"`;
    return (await promisify(execFile)('sh', ['-c', script, QUORATE], { env })).stdout;
  }

  it.each([
    ['is closed', '>&-', 'ended with 0\n'],
    ['and standard error are closed', '>&- 2>&-', 'ended with 0\n'],
    ['is on a full disk', '2>&1 >/dev/full', 'quorate: standard output: the disk is full (ENOSPC)\nended with 1\n'],
  ])('that %s is no bug', async (_what, redirection, told) => {
    cli.api.handler = (_request, response) => answerJson(response, { items: [jobView()], nextCursor: null });
    expect(await inShell(redirection)).toBe(told);
  });

  it('that nobody reads any more ends a list without a word, however long it is', async () => {
    const items = Array.from({ length: 100 }, () => jobView());
    cli.api.handler = (_request, response) => answerJson(response, { items, nextCursor: 'more' });
    expect(await inShell('--all --json 2>&1 | head -n 1 | cut -c 1-5')).toBe('{"id"\nended with 0\n');
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
