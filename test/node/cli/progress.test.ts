import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Output } from '../../../node/cli/output.ts';
import { Progress, type ProgressOptions } from '../../../node/cli/progress.ts';
import { FakeTerminal } from '../../support/fake-terminal.ts';

/** Time that passes when it is told to. */
function fakeTicker() {
  let now = 0;
  const timers = new Set<{ readonly ms: number; next: number; readonly action: () => void }>();
  return {
    now: () => now,
    every(ms: number, action: () => void) {
      const timer = { ms, next: now + ms, action };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    pass(ms: number) {
      for (const end = now + ms; now < end;) {
        now = Math.min(end, ...[...timers].map(({ next }) => next));
        for (const timer of timers) {
          if (timer.next > now) continue;
          timer.next += timer.ms;
          timer.action();
        }
      }
    },
  };
}

function onTerminal(options: Partial<ProgressOptions> = {}, terminal = new FakeTerminal()) {
  const ticker = fakeTicker();
  const stderr = new Output(terminal);
  const progress = new Progress({ stderr }, { what: 'ended', total: 200, ...options }, ticker);
  return { ticker, terminal, stderr, progress };
}

function onPipe(options: Partial<ProgressOptions> = {}) {
  const ticker = fakeTicker();
  const pipe = new PassThrough();
  const progress = new Progress({ stderr: new Output(pipe) }, { what: 'ended', total: 200, ...options }, ticker);
  return { ticker, progress, text: () => String(pipe.read() ?? '') };
}

describe('progress on a terminal', () => {
  it('is a bar with counts, rate and the time that is left', () => {
    const { ticker, terminal, progress } = onTerminal();
    ticker.pass(5_000);
    progress.set(50, { detail: '49 succeeded, 1 failed' });
    ticker.pass(100);
    expect(terminal.lines).toEqual(['[######-----------------] 50/200 ended, 49 succeeded, 1 failed, 9.8/s, 16s left']);
  });

  it('tells how long it takes already where the end is not known', () => {
    const { ticker, terminal, progress } = onTerminal({ total: null });
    progress.set(50);
    ticker.pass(2_000);
    expect(terminal.lines).toEqual(['50 ended, 25.0/s, for 2s']);
    progress.set(50, { total: 100 });
    ticker.pass(100);
    expect(terminal.lines[0]).toContain('50/100 ended');
  });

  it.each([60, 30, 5])('is never wider than the terminal: %i columns', (columns) => {
    const { ticker, terminal, progress } = onTerminal({}, new FakeTerminal({ columns }));
    progress.set(50, { detail: '12 waiting, 13 queued, 25 running, 50 succeeded' });
    ticker.pass(1_000);
    expect(terminal.lines).toHaveLength(1);
    expect(terminal.lines[0]?.length).toBeLessThan(columns);
  });

  it('leaves nothing of itself behind, and lines stand above it', async () => {
    const { ticker, terminal, stderr, progress } = onTerminal();
    ticker.pass(200);
    await progress.line(stderr, 'job 7 failed');
    ticker.pass(200);
    expect(terminal.lines).toEqual(['job 7 failed', expect.stringContaining('0/200 ended')]);
    progress.stop();
    ticker.pass(1_000);
    expect(terminal.lines).toEqual(['job 7 failed', '']);
  });
});

describe('progress elsewhere', () => {
  it('is a line now and then, and none for what is soon over', () => {
    const { ticker, progress, text } = onPipe();
    ticker.pass(9_000);
    progress.set(90);
    expect(text()).toBe('');
    ticker.pass(1_000);
    expect(text()).toBe('quorate: 90/200 ended, 9.0/s, 13s left\n');
    progress.set(190, { detail: '2 failed' });
    ticker.pass(10_000);
    expect(text()).toBe('quorate: 190/200 ended, 2 failed, 10.0/s, 1s left\n');
    progress.stop();
    ticker.pass(60_000);
    expect(text()).toBe('');
  });

  it.each([onPipe, onTerminal])('is nothing when it is to be quiet', (make) => {
    const made = make({ quiet: true });
    made.ticker.pass(60_000);
    made.progress.stop();
    expect('text' in made ? made.text() : made.terminal.written).toBe('');
  });
});
