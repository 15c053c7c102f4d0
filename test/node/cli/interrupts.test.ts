import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { run } from '../../../node/cli/run.ts';
import { answerJson, END_EVENT, type FakeHandler, JOB_ID, jobView, logEvent } from '../../support/fake-api.ts';
import { fakeContext, FakeTerminal } from '../../support/fake-terminal.ts';
import { cleanEnvironment, QUORATE } from '../../support/node-process.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';

const cli = useFakeCommandLine();
let child: ChildProcess | null = null;

afterEach(() => {
  child?.kill('SIGKILL');
  child = null;
});

/** A job that writes `ready` and then goes on until it is cancelled. */
function endlessJob(): { readonly cancelled: Promise<void>; readonly handler: FakeHandler } {
  const cancelled = Promise.withResolvers<void>();
  const handler: FakeHandler = async ({ method, path }, response) => {
    if (path.endsWith('/cancel')) {
      cancelled.resolve();
      return answerJson(response, jobView({ state: 'running' }));
    }
    if (method === 'POST') return answerJson(response, jobView({ state: 'queued', attempts: [] }), 201);
    if (path.endsWith('/logs')) {
      response.write(logEvent('stdout', 'ready'));
      await cancelled.promise;
      return response.end(END_EVENT);
    }
    if (path.endsWith('/wait')) await cancelled.promise;
    return answerJson(response, jobView({ state: 'cancelled', signal: 'SIGTERM', exitCode: null }));
  };
  cli.api.handler = handler;
  return { cancelled: cancelled.promise, handler };
}

const startRun = () => start(['run', '--', 'x']);

/** @param stdin `open`: nothing comes in, and no end */
function start(args: readonly string[], stdin: 'ignore' | 'open' = 'ignore') {
  const started = spawn(QUORATE, args, {
    env: cleanEnvironment({ QUORATE_URL: cli.api.url }),
    stdio: [stdin === 'open' ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  }) as ChildProcessByStdio<Writable | null, Readable, Readable>;
  child = started;
  const [ready, exit, stderr] = [once(started.stdout, 'data'), once(started, 'exit'), text(started.stderr)];
  return { started, ready, exit, stderr, interrupt: (signal: NodeJS.Signals = 'SIGINT') => started.kill(signal) };
}

describe('quorate run', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('cancels the job at %s, waits for its end, and ends with %d', async (signal, code) => {
    const job = endlessJob();
    const run = startRun();
    await run.ready;
    run.interrupt(signal);
    await job.cancelled;
    expect(await run.exit).toEqual([code, null]);
    expect(await run.stderr).toContain(`job ${JOB_ID} cancelled`);
  });

  it('leaves at the second interrupt at once and tells the id', async () => {
    const cancelAsked = Promise.withResolvers<void>();
    const { handler } = endlessJob();
    cli.api.handler = (request, response) => {
      if (!request.path.endsWith('/cancel')) return handler(request, response);
      return cancelAsked.resolve();
    };
    const run = startRun();
    await run.ready;
    run.interrupt();
    await cancelAsked.promise;
    run.interrupt();
    expect(await run.exit).toEqual([130, null]);
    expect(await run.stderr).toMatch(
      new RegExp(`left job ${JOB_ID}, which may still run \\(interrupted\\)\\n  next: .*cancel ${JOB_ID}`),
    );
  });

  it('cancels a job whose submission was not answered yet, once it is', async () => {
    const job = endlessJob();
    const { handler } = job;
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    cli.api.handler = async (request, response) => {
      if (request.method === 'POST' && !request.path.endsWith('/cancel')) {
        asked.resolve();
        await answer.promise;
      }
      return handler(request, response);
    };
    const run = startRun();
    await asked.promise;
    run.interrupt();
    setTimeout(() => answer.resolve(), 100);
    await job.cancelled;
    expect(await run.exit).toEqual([130, null]);
  });
});

describe('quorate run with a reader that goes away', () => {
  it('cancels the job and ends as a program of this machine would', async () => {
    const cancelled = Promise.withResolvers<void>();
    cli.api.handler = ({ method, path }, response) => {
      if (path.endsWith('/logs')) {
        const timer = setInterval(() => response.write(logEvent('stdout', 'line\n')), 5);
        void cancelled.promise.then(() => {
          clearInterval(timer);
          response.end(END_EVENT);
        });
        return undefined;
      }
      if (path.endsWith('/cancel')) cancelled.resolve();
      if (method === 'POST') return answerJson(response, jobView({ state: 'running' }), 201);
      return answerJson(response, jobView({ state: 'cancelled', exitCode: null }));
    };
    const started = spawn('bash', ['-c', '"$0" run -- yes | head -n 2; echo "${PIPESTATUS[0]}"', QUORATE], {
      env: cleanEnvironment({ QUORATE_URL: cli.api.url }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    expect(await text(started.stdout)).toBe('line\nline\n141\n');
  });
});

describe('quorate run at a terminal', () => {
  const waiting = { state: 'waiting', why: 'notBefore', until: '2030-01-01T00:00:00.000Z' };

  it.each<[string, object, boolean]>([
    ['tells once why the job has not started', waiting, true],
    ['tells nothing of one that runs', { state: 'running', runner: 'r', attempt: 1 }, false],
  ])('%s', async (_what, explanation, isTold) => {
    const explained = Promise.withResolvers<void>();
    cli.api.handler = async ({ method, path }, response) => {
      if (path.endsWith('/explain')) {
        response.on('close', () => explained.resolve());
        return answerJson(response, explanation);
      }
      if (path.endsWith('/logs')) return response.end(END_EVENT);
      if (path.endsWith('/wait')) {
        await explained.promise;
        await sleep(50);
      }
      return answerJson(response, jobView(), method === 'POST' ? 201 : 200);
    };
    const context = fakeContext({ QUORATE_URL: cli.api.url }, new FakeTerminal({ columns: 200 }));
    expect(await run(context, [['true']], {}, 1)).toBe(0);
    const shown = context.terminal.lines.join('\n');
    if (isTold) expect(shown).toMatch(/not started yet, waiting until 2030.*\n {2}next: .*quorate explain/);
    else expect(shown).toBe('');
  });
});

/** Resolves with the first request whose path ends so; it is never answered. */
function holdAt(end: string, others: FakeHandler): Promise<void> {
  const asked = Promise.withResolvers<void>();
  cli.api.handler = (request, response) => (request.path.endsWith(end) ? asked.resolve() : others(request, response));
  return asked.promise;
}

describe('an interrupt', () => {
  const GROUP = '019a0000-0000-7000-9000-000000000001';

  it('of wait leaves the jobs that have not ended, and tells how to go on', async () => {
    const asked = holdAt('/slow/wait', ({ path }, response) =>
      answerJson(response, jobView({ id: path.split('/')[3] ?? '' })),
    );
    const wait = start(['wait', 'quick', 'slow']);
    await Promise.all([wait.ready, asked]);
    wait.interrupt();
    expect(await wait.exit).toEqual([130, null]);
    expect(await wait.stderr).toBe(
      'quorate: stopped waiting for 1 job, which goes on (interrupted)\n  next: quorate wait slow, or quorate cancel slow\n',
    );
  });

  it('of group wait tells how to go on', async () => {
    const open = { state: 'open', counts: {} };
    const asked = holdAt('/wait', (_request, response) => answerJson(response, open));
    const wait = start(['group', 'wait', GROUP]);
    await asked;
    wait.interrupt('SIGTERM');
    expect(await wait.exit).toEqual([143, null]);
    expect(await wait.stderr).toMatch(/stopped waiting for the group .*\(interrupted\)\n {2}next: quorate group wait/);
  });

  const taken: FakeHandler = ({ body }, response) => response.end(body.replaceAll(/.+/g, '{"id":$&}'));

  it('of batch tells what was taken, also while nothing comes in', async () => {
    cli.api.handler = taken;
    const batch = start(['batch', '-'], 'open');
    batch.started.stdin?.write('"a"\n');
    await batch.ready;
    batch.interrupt();
    expect(await batch.exit).toEqual([130, null]);
    expect(await batch.stderr).toMatch(
      /stopped after 1 job of the batch was taken.*\(interrupted\)\n {2}next: .*quorate jobs/,
    );
  });

  it('of batch --wait tells that the jobs go on', async () => {
    const asked = holdAt('/wait', taken);
    const batch = start(['batch', '--wait', '-'], 'open');
    batch.started.stdin?.end('"a"\n"b"\n');
    await asked;
    batch.interrupt();
    expect(await batch.exit).toEqual([130, null]);
    expect(await batch.stderr).toMatch(/stopped waiting for 2 jobs, which go on.*\n {2}next: quorate wait a b/);
  });

  it('of logs -f tells that the job goes on, with --json as problem details', async () => {
    cli.api.handler = ({ path }, response) => {
      if (!path.endsWith('/logs')) return answerJson(response, jobView({ state: 'running' }));
      return response.write(logEvent('stdout', 'ready'));
    };
    const text = start(['logs', '-f', JOB_ID]);
    await text.ready;
    text.interrupt();
    expect(await text.exit).toEqual([130, null]);
    expect(await text.stderr).toMatch(/stopped following job .*\(interrupted\)\n {2}next: quorate logs -f/);
    const json = start(['logs', '-f', '--json', JOB_ID]);
    await json.ready;
    json.interrupt();
    expect(await json.exit).toEqual([130, null]);
    expect(JSON.parse(await json.stderr)).toMatchObject({ code: 'interrupted', exitCode: 130 });
  });
});

describe('quorate logs -f', () => {
  it('ends without a word when its reader goes away', async () => {
    cli.api.handler = ({ path }, response) => {
      if (!path.endsWith('/logs')) return answerJson(response, jobView({ state: 'running' }));
      const timer = setInterval(() => response.write(logEvent('stdout', 'line\n')), 5);
      return response.on('close', () => clearInterval(timer));
    };
    const started = spawn('sh', ['-c', '"$0" logs -f x | head -n 2; echo end', QUORATE], {
      env: cleanEnvironment({ QUORATE_URL: cli.api.url }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    const [stdout, stderr] = await Promise.all([text(started.stdout), text(started.stderr)]);
    expect(stdout).toBe('line\nline\nend\n');
    expect(stderr).toBe('');
  });
});
