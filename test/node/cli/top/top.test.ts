import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { top, type TopOptions } from '../../../../node/cli/top/top.ts';
import type { Snapshot } from '../../../../node/cli/top/snapshot.ts';
import { answerJson, answerProblem, FakeApi, type FakeHandler, refusedUrl } from '../../../support/fake-api.ts';
import { fakeContext, FakeTerminal } from '../../../support/fake-terminal.ts';
import { runQuorate } from '../../../support/command-line.ts';
import { cleanEnvironment, QUORATE } from '../../../support/node-process.ts';
import { waitUntil } from '../../../support/wait-until.ts';
import { clusterView, memberView, queueView, runnerView, statsView } from './builders.ts';

let api: FakeApi;
let looks: number;

/** Each look finds ten jobs more. */
const cluster: FakeHandler = ({ path }, response) => {
  if (path === '/v1/cluster') return answerJson(response, clusterView([memberView('n1')]));
  if (path === '/v1/runners') return answerJson(response, { items: [runnerView('r1', 2)], nextCursor: null });
  if (path === '/v1/queues') return answerJson(response, { items: [queueView('nightly')], nextCursor: null });
  looks += 1;
  const { totals } = statsView();
  return answerJson(response, statsView({ totals: { ...totals, submitted: totals.submitted + 10 * looks } }));
};

beforeEach(async () => {
  looks = 0;
  api = await FakeApi.start(cluster);
});

afterEach(() => api.close());

/** As a person starts it; `over` is its end. */
function start(options: Partial<TopOptions> = {}, terminal = new FakeTerminal()) {
  const context = fakeContext({ QUORATE_URL: api.url }, terminal);
  const over = top(context, [], { interval: '100ms', ...options });
  over.catch(() => undefined);
  const shows = (text: string) =>
    waitUntil(`the screen to show ${text}`, () => (terminal.lines.join('\n').includes(text) ? true : null));
  return { context, terminal, over, shows };
}

describe('quorate top', () => {
  it('takes the terminal, shows what comes, and gives it back at q', async () => {
    const { context, terminal, over, shows } = start();
    await shows('nightly');
    expect([terminal.screen, terminal.cursor, context.keyboard.isRaw]).toEqual(['other', 'hidden', true]);
    expect(terminal.lines).toHaveLength(24);
    expect(terminal.lines[23]).toBe('q quit  s sort by name');
    await shows('/s submitted, 0.0/s');
    expect(terminal.lines.join('\n')).not.toContain(' 0.0/s submitted');
    context.keyboard.write('s');
    await shows('sort by work');
    context.keyboard.write('q');
    expect(await over).toBe(0);
    expect([terminal.screen, terminal.cursor, context.keyboard.isRaw]).toEqual(['main', 'shown', false]);
    expect(context.keyboard.listenerCount('data')).toBe(0);
  });

  it('writes only the lines that changed', async () => {
    const { context, terminal, over, shows } = start();
    await shows('nightly');
    const before = looks;
    terminal.written = '';
    await waitUntil('two more looks', () => (looks > before + 2 ? true : null));
    expect(terminal.written).not.toContain('nightly');
    expect(terminal.written).toContain('/s submitted');
    context.keyboard.write('q');
    await over;
  });

  it('fills the terminal anew when its size changes', async () => {
    const { context, terminal, over, shows } = start();
    await shows('nightly');
    terminal.resize(40, 10);
    await waitUntil('the foot to move up', () => (terminal.lines[9] === 'q quit  s sort by name' ? true : null));
    expect(terminal.lines).toHaveLength(10);
    expect(terminal.lines.join('')).not.toContain('??');
    context.keyboard.write('q');
    await over;
  });

  it.each([
    ['ctrl-C as a key', (context: ReturnType<typeof fakeContext>) => void context.keyboard.write('\u0003'), 0],
    ['SIGTERM', (context: ReturnType<typeof fakeContext>) => context.signal('SIGTERM'), 143],
    ['SIGINT', (context: ReturnType<typeof fakeContext>) => context.signal('SIGINT'), 130],
  ])('gives the terminal back at %s', async (_what, stop, code) => {
    const { context, terminal, over, shows } = start();
    await shows('nightly');
    stop(context);
    expect(await over).toBe(code);
    expect([terminal.screen, terminal.cursor, context.keyboard.isRaw]).toEqual(['main', 'shown', false]);
  });

  it('gives the terminal back when the process ends while it is shown', async () => {
    const { context, terminal, over, shows } = start();
    await shows('nightly');
    context.exit();
    await waitUntil('the main screen', () => (terminal.screen === 'main' ? true : null));
    expect([terminal.cursor, context.keyboard.isRaw]).toEqual(['shown', false]);
    context.keyboard.write('q');
    await over;
  });

  // A terminal of the system's, where there is what makes one.
  it.skipIf(spawnSync('script', ['--version']).status !== 0)('gives a real terminal back', async () => {
    const command = `stty cols 80 rows 24; ${QUORATE} top --interval 100ms; stty -a`;
    const person = spawn('script', ['--quiet', '--flush', '--command', command, '/dev/null'], {
      env: cleanEnvironment({ QUORATE_URL: api.url, TERM: 'xterm', SHELL: '/bin/sh' }),
    });
    let seen = '';
    person.stdout.setEncoding('utf8').on('data', (part: string) => (seen += part));
    const ended = once(person, 'close');
    await waitUntil('a frame', () => (seen.includes('nightly') && seen.includes('q quit') ? true : null));
    person.stdin.write('q');
    await ended;
    const [during = '', after = ''] = seen.split('\u001b[?1049l');
    expect(during).toContain('\u001b[?1049h\u001b[?25l');
    expect(after).toMatch(/ icanon /);
    expect(after).toMatch(/ echo /);
  });

  it('keeps the last picture while no node answers, says so, and goes on', async () => {
    const { context, terminal, over, shows } = start();
    await shows('nightly');
    await api.close();
    await shows('as of 20');
    expect(terminal.lines.join('\n')).toContain('nightly');
    context.keyboard.write('q');
    expect(await over).toBe(0);
    api = await FakeApi.start(cluster);
  });

  it('ends at what does not pass, and tells it once the terminal is given back', async () => {
    const { terminal, over, shows } = start();
    await shows('nightly');
    api.handler = (_request, response) => answerProblem(response, 401, 'tokenExpired');
    await expect(over).rejects.toMatchObject({ code: 'tokenExpired' });
    expect([terminal.screen, terminal.cursor]).toEqual(['main', 'shown']);
  });

  it('does not take the terminal when nobody answers from the start', async () => {
    const terminal = new FakeTerminal();
    const context = fakeContext({ QUORATE_URL: await refusedUrl() }, terminal);
    await expect(top(context, [], {})).rejects.toMatchObject({ code: 'noNodeReachable' });
    expect(terminal.written).toBe('');
  });

  it('shows what the token may read', async () => {
    api.handler = (request, response) =>
      request.path === '/v1/cluster' || request.path === '/v1/runners'
        ? answerProblem(response, 403, 'forbidden')
        : cluster(request, response);
    const { stdout, code } = await runQuorate(['top', '--once', '--interval', '100ms'], {
      env: { QUORATE_URL: api.url },
    });
    expect(code).toBe(0);
    expect(stdout).toContain('nightly');
    expect(stdout).not.toMatch(/MEMBER|RUNNER/);
  });

  it('prints one frame as text with rates, or one snapshot as JSON', async () => {
    const env = { QUORATE_URL: api.url };
    const text = await runQuorate(['top', '--once', '--interval', '100ms'], { env });
    expect(text).toMatchObject({ code: 0, stderr: '' });
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(text.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(text.stdout).toMatch(/[1-9][\d.]*\/s submitted/);
    const json = await runQuorate(['top', '--once', '--json', '--interval', '100ms'], { env });
    const lines = json.stdout.trim().split('\n');
    expect(lines).toHaveLength(1);
    const snapshot = JSON.parse(lines[0] ?? '') as Snapshot;
    expect(snapshot.cluster?.members[0]?.id).toBe('n1');
    expect(snapshot.rates.submitted).toBeGreaterThan(0);
    expect(Object.keys(snapshot)).toEqual(['at', 'stats', 'rates', 'cluster', 'runners', 'queues']);
  });

  it.each([
    ['no terminal', [], /no terminal.*\n {2}next: .*--once/],
    ['an interval that is none', ['--once', '--interval', 'soon'], /--interval must be a duration/],
    ['an interval that is too short', ['--once', '--interval', '1ms'], /at least 100ms/],
  ])('ends with 2 for %s', async (_what, args, message) => {
    const result = await runQuorate(['top', ...args], { env: { QUORATE_URL: api.url } });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(message);
    expect(api.requests).toHaveLength(0);
  });
});
