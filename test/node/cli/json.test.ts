import type { Command } from 'commander';
import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { JOB_STATES } from '../../../src/jobs/job.ts';
import { Output } from '../../../node/cli/output.ts';
import { buildProgram } from '../../../node/cli/program.ts';
import {
  answerJson,
  answerProblem,
  END_EVENT,
  type FakeHandler,
  JOB_ID,
  jobView,
  logEvent,
} from '../../support/fake-api.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';
import { clusterView, memberView, queueView, runnerView, statsView } from './top/builders.ts';

const cli = useFakeCommandLine();
const output = new Output(new PassThrough());
const program = buildProgram(
  {
    env: {},
    stdin: new PassThrough(),
    stdout: output,
    stderr: output,
    onSignal: () => () => undefined,
    onExit: () => () => undefined,
  },
  () => undefined,
);

function leavesOf(command: Command, path: readonly string[] = []): readonly string[] {
  return command.commands.flatMap((child) => {
    const own = [...path, child.name()];
    return child.commands.length === 0 ? [own.join(' ')] : leavesOf(child, own);
  });
}

const HASH = createHash('sha256').update('content').digest('hex');
const MEMBERS = clusterView([memberView('n1')]);
const NONE = Object.fromEntries(JOB_STATES.map((state) => [state, 0]));
const NAMED = { name: 'x', id: 'x' };

const always =
  (value: unknown): FakeHandler =>
  (_request, response) =>
    answerJson(response, value);
const page = (...items: readonly unknown[]): FakeHandler => always({ items, nextCursor: null });

interface Case {
  /** Behind the command's own words and `--json`. */
  readonly args?: readonly string[];
  readonly stdin?: string;
  readonly answer: FakeHandler;
  /** The documents that come out, one a line. */
  readonly told: readonly unknown[];
}

const job = (args: readonly string[] = [JOB_ID]): Case => ({ args, answer: always(jobView()), told: [jobView()] });
const changed = (answer: unknown, ...args: readonly string[]): Case => ({
  args,
  answer: always(answer),
  told: [answer],
});
const listed = (...items: readonly unknown[]): Case => ({ answer: page(...items), told: items });

const top: FakeHandler = ({ path }, response) => {
  if (path === '/v1/stats') return answerJson(response, statsView());
  if (path === '/v1/cluster') return answerJson(response, MEMBERS);
  return answerJson(response, {
    items: [path === '/v1/queues' ? queueView('q') : runnerView('r', 0)],
    nextCursor: null,
  });
};

const logs: FakeHandler = ({ path }, response) =>
  path.endsWith('/logs') ? response.end(logEvent('stderr', 'hi') + END_EVENT) : answerJson(response, jobView());

/** What each command tells with --json: shapes of the API, or those of docs/command-line.md. */
const CASES: Readonly<Record<string, Case>> = {
  run: job(['--', 'true']),
  submit: job(['--', 'true']),
  batch: {
    args: ['-'],
    stdin: '{}\n',
    answer: (_request, response) => response.end('{"id":"x"}\n'),
    told: [{ id: 'x' }],
  },
  jobs: listed(jobView({ id: 'a' }), jobView({ id: 'b' })),
  status: job(),
  explain: changed({ state: 'running', runner: 'r', attempt: 1 }, JOB_ID),
  wait: job(),
  logs: {
    args: [JOB_ID],
    answer: logs,
    told: [{ stream: 'stderr', at: expect.any(String), base64: btoa('hi'), attempt: 1 }],
  },
  cancel: job(),
  retry: job(),
  'group create': changed({ id: 'g' }),
  'group list': listed({ id: 'g' }, { id: 'h' }),
  'group status': changed({ id: 'g' }, 'g'),
  'group close': changed({ id: 'g' }, 'g'),
  'group cancel': changed({ id: 'g' }, 'g'),
  'group wait': changed({ id: 'g', state: 'finished', counts: { ...NONE, succeeded: 1 } }, 'g'),
  'schedule create': changed(NAMED, 'x', '--cron', '@daily', '--', 'true'),
  'schedule list': listed(NAMED, { name: 'y' }),
  'schedule show': changed(NAMED, 'x'),
  'schedule set': changed(NAMED, 'x', '--cron', '@daily'),
  'schedule pause': changed(NAMED, 'x'),
  'schedule resume': changed(NAMED, 'x'),
  'schedule trigger': changed({ outcome: 'buffered', job: null }, 'x'),
  'schedule delete': {
    args: ['x'],
    answer: (_request, response) => response.writeHead(204).end(),
    told: [{ name: 'x', deleted: true }],
  },
  'queues list': listed(queueView('a'), queueView('b')),
  'queues show': changed(queueView('a'), 'a'),
  'queues set': changed(queueView('a'), 'a', '--weight', '2'),
  'queues pause': changed(queueView('a'), 'a'),
  'queues resume': changed(queueView('a'), 'a'),
  'queues reset': changed(queueView('a'), 'a'),
  top: {
    args: ['--once', '--interval', '100ms'],
    answer: top,
    told: [
      {
        at: expect.any(String),
        stats: statsView(),
        rates: { submitted: 0, started: 0, ended: 0 },
        cluster: MEMBERS,
        runners: [runnerView('r', 0)],
        queues: [queueView('q')],
      },
    ],
  },
  runners: listed(runnerView('r1', 1), runnerView('r2', 0)),
  drain: changed(runnerView('r', 1), 'r'),
  undrain: changed(runnerView('r', 1), 'r'),
  'cluster status': changed(MEMBERS),
  'cluster add': changed({ token: 'qj1_x', uses: 1, expiresAt: 'then', command: 'quorate up' }),
  'cluster demote': changed(MEMBERS, 'n1'),
  'cluster release': changed(MEMBERS, 'n1'),
  'cluster remove': changed(MEMBERS, 'n1'),
  'cluster transfer': changed(MEMBERS, 'n1'),
  'cluster set': changed(MEMBERS, '--voters', '3'),
  'token create': changed({ id: 't', token: 'qt_x' }, '--scope', 'jobs:read'),
  'token list': listed({ id: 't', name: 'ci', scopes: [], expiresAt: null }),
  'token revoke': {
    args: ['t'],
    answer: (_request, response) => response.writeHead(204).end(),
    told: [{ id: 't', revoked: true }],
  },
  get: { ...listed({ path: 'dist/a', kind: 'file', size: 3 }), args: ['j'] },
  'blob put': { args: ['-'], stdin: 'content', answer: always({}), told: [{ hash: HASH, size: 7 }] },
  'blob get': {
    args: [HASH, '--output', 'FOLDER/out'],
    answer: (_request, response) => response.end('content'),
    told: [{ hash: HASH, size: 7, file: expect.stringMatching(/out$/) }],
  },
  'blob stat': {
    args: [HASH],
    answer: (_request, response) => response.writeHead(200, { 'content-length': 7 }).end(),
    told: [{ hash: HASH, size: 7 }],
  },
  version: {
    answer: always({}),
    told: [{ version: expect.any(String), node: process.versions.node, platform: expect.any(String) }],
  },
};

/** Those that no fake node can answer, with where they are seen to; and those without --json, with the reason. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  dev: 'test/node/cli/nodes.test.ts',
  up: 'test/node/cli/nodes.test.ts',
  events: 'test/node/cli/events.test.ts',
  backup: 'test/e2e/backup.test.ts',
  restore: 'test/e2e/backup.test.ts',
  recover: 'test/e2e/recover.test.ts',
  rejoin: 'test/e2e/damaged-log.test.ts',
};
const WITHOUT: Readonly<Record<string, string>> = {
  completion: 'prints a script, which is no data',
};

function documentsOf(text: string): readonly unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

describe('--json', () => {
  const all = leavesOf(program);

  it('is known of every command', () => {
    expect(all.toSorted()).toEqual(
      [...Object.keys(CASES), ...Object.keys(ELSEWHERE), ...Object.keys(WITHOUT)].toSorted(),
    );
  });

  it.each(all.filter((path) => !(path in WITHOUT)))('%s takes it', (path) => {
    const command = path
      .split(' ')
      .reduce<Command>((above, name) => above.commands.find((child) => child.name() === name) ?? above, program);
    expect(command.options.map(({ long }) => long)).toContain('--json');
  });

  it.each(Object.entries(CASES))(
    '%s answers in JSON alone, one document a line',
    async (path, { args = [], stdin = '', answer, told }) => {
      cli.api.handler = answer;
      const own = args.map((arg) => arg.replace('FOLDER', cli.folder));
      const result = await cli.quorate([...path.split(' '), '--json', ...own], stdin);
      expect(result).toMatchObject({ code: 0, stderr: '' });
      expect(documentsOf(result.stdout)).toEqual(told);
    },
  );

  it.each(['blob stat', 'blob get'])('%s tells the code of a refusal that has no body', async (path) => {
    cli.api.handler = (_request, response) => answerProblem(response, 403, 'forbidden');
    const words = [...path.split(' '), '--json', HASH];
    const args = path === 'blob get' ? [...words, '--output', `${cli.folder}/out`] : words;
    const { code, stderr } = await cli.quorate(args);
    expect(code).toBe(4);
    expect(documentsOf(stderr)).toMatchObject([{ status: 403, code: 'forbidden', exitCode: 4 }]);
  });

  const asksNobody = ['version'];
  const asksForHead = ['blob stat', 'blob get'];
  it.each(Object.entries(CASES).filter(([path]) => ![...asksNobody, ...asksForHead].includes(path)))(
    '%s tells a refusal as problem details on standard error',
    async (path, { args = [], stdin = '' }) => {
      cli.api.handler = (_request, response) => answerProblem(response, 403, 'forbidden', { detail: 'no\u001b[2J' });
      const own = args.map((arg) => arg.replace('FOLDER', cli.folder));
      const { code, stdout, stderr } = await cli.quorate([...path.split(' '), '--json', ...own], stdin);
      expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
      expect(documentsOf(stderr)).toEqual([
        {
          type: 'about:blank',
          title: 'Error',
          status: 403,
          code: 'forbidden',
          detail: 'no\u001b[2J',
          next: expect.stringContaining('quorate token create'),
          exitCode: 4,
        },
      ]);
    },
  );

  it.each([
    ['an unknown flag', ['queues', 'set', 'q', '--frob'], /unknown option '--frob'/, 'quorate queues set --help'],
    ['no command behind a group of them', ['token'], /unknown option|no command/, 'quorate token --help'],
    ['what a command finds out itself', ['token', 'create'], /at least one scope/, /--scope is one of/],
    ['an address that is none', ['jobs', '--url', 'ftp://x'], /not an address/, /http:/],
    ['bytes where JSON is to be', ['blob', 'get', HASH], /no JSON/, /--output/],
  ])('tells %s as problem details too', async (_what, args, detail, next) => {
    const { code, stdout, stderr } = await cli.quorate([...args, '--json']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(documentsOf(stderr)).toEqual([
      {
        type: 'about:blank',
        title: 'Wrong usage',
        code: 'usage',
        detail: expect.stringMatching(detail),
        next: typeof next === 'string' ? next : expect.stringMatching(next),
        exitCode: 2,
      },
    ]);
  });

  it('behind -- is the flag of another command', async () => {
    const { stderr } = await cli.quorate(['jobs', '--frob', '--', '--json']);
    expect(stderr).toMatch(/^quorate: unknown option '--frob' \(usage\)/);
  });

  it('of batch tells each refusal in its place, and of all as problem details at the end', async () => {
    const answers: Readonly<Record<string, string>> = {
      '1': '{"id":"a"}',
      '2': '{"error":{"code":"invalidRequest","detail":"no"}}',
    };
    cli.api.handler = ({ body }, response) => response.end(body.replaceAll(/\d/g, (line) => answers[line] ?? ''));
    const { code, stdout, stderr } = await cli.quorate(['batch', '--json', '-'], '1\n2\n');
    expect(code).toBe(4);
    expect(documentsOf(stdout)).toHaveLength(2);
    expect(documentsOf(stderr)).toMatchObject([
      { code: 'batchRefused', detail: expect.stringContaining('1 of 2 jobs') as string, exitCode: 4 },
    ]);
  });

  it('of batch --wait tells each job again once it has ended', async () => {
    cli.api.handler = ({ path }, response) =>
      path.endsWith('/batch')
        ? response.end('{"id":"a"}\n')
        : answerJson(response, jobView({ id: 'a', state: 'failed' }));
    const { code, stdout, stderr } = await cli.quorate(['batch', '--json', '--wait', '-'], '{}\n');
    expect(code).toBe(1);
    expect(documentsOf(stdout)).toEqual([{ id: 'a' }, jobView({ id: 'a', state: 'failed' })]);
    expect(documentsOf(stderr)).toMatchObject([{ code: 'jobsFailed', exitCode: 1 }]);
  });

  it('of a wait that took too long tells the job as it is', async () => {
    cli.api.handler = always(jobView({ state: 'running' }));
    const { code, stdout, stderr } = await cli.quorate(['wait', '--json', '--timeout', '1ms', JOB_ID]);
    expect(code).toBe(1);
    expect(documentsOf(stdout)).toMatchObject([{ state: 'running' }]);
    expect(documentsOf(stderr)).toMatchObject([{ code: 'timedOut', exitCode: 1 }]);
  });
});
