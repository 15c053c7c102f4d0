import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { answerJson, END_EVENT, type FakeHandler, JOB_ID, jobView, logEvent } from '../../support/fake-api.ts';
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

function startRun() {
  const started = spawn(QUORATE, ['run', '--', 'x'], {
    env: cleanEnvironment({ QUORATE_URL: cli.api.url }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = started;
  const [ready, exit, stderr] = [once(started.stdout, 'data'), once(started, 'exit'), text(started.stderr)];
  return { ready, exit, stderr, interrupt: (signal: NodeJS.Signals = 'SIGINT') => started.kill(signal) };
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
      new RegExp(`left job ${JOB_ID}, which may still run\\n  next: .*cancel ${JOB_ID}`),
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
