import { describe, expect, it } from 'vitest';
import { renderFrame, type FrameOptions } from '../../../../node/cli/top/frame.ts';
import type { Snapshot } from '../../../../node/cli/top/snapshot.ts';
import { widthOf } from '../../../../node/cli/text-width.ts';
import { clusterView, memberView, queueView, runnerView, snapshotOf, statsView } from './builders.ts';

function textOf(snapshot: Snapshot, options: Partial<FrameOptions> = {}): string {
  const lines = renderFrame(snapshot, { columns: 200, rows: null, sort: 'name', ...options });
  return lines.map(({ text }) => text).join('\n');
}

describe('a frame', () => {
  it('tells of jobs, rates, members, runners and queues', () => {
    const text = textOf(snapshotOf());
    expect(text).toMatch(/10:20:30Z +cluster c1 +leader n1 +term 3 +committed 12/);
    expect(text).toContain('1 waiting, 2,000 queued, 3 assigned, 4 running');
    expect(text).toContain('10.0/s submitted, 9.1/s started, ?/s ended');
    expect(text).toContain('12,345 succeeded, 6 failed');
    expect(text).toMatch(/n1 +voter +leader +alive +12 +11 +1 +now +http:\/\/n1/);
    expect(text).toMatch(/n2 +voter +unreachable +12 +11 +\? +\?/);
    expect(text).toMatch(/r1 +ready +2 +██░░░░░░ 2\/8 +████░░░░ 8GiB\/16GiB +1\.25 +os=linux/);
    expect(text).toMatch(/b +paused +1 +7 +0 +25\.0%/);
  });

  it('tells of the oldest queued job, of its age by the time of the frame', () => {
    const oldest = { id: 'j1', name: 'slow', queue: 'q', project: 'p', submittedAt: '2026-01-01T10:17:18.000Z' };
    const text = textOf(snapshotOf({ stats: statsView({ oldestQueued: oldest }) }));
    expect(text).toContain('oldest  submitted 3m 12s ago: j1 slow, in q for p');
  });

  it('marks what needs a look', () => {
    const warnings = [{ code: 'quorumAtRisk', detail: 'one more and it stops', member: null }] as const;
    const cluster = clusterView([memberView('n1'), memberView('n2', { health: 'unreachable' })], {
      leader: null,
      warnings,
    });
    const lines = renderFrame(snapshotOf({ cluster }), { columns: 200, rows: null, sort: 'name' });
    const styleOf = (text: string) => lines.find((line) => line.text.includes(text))?.style;
    expect(styleOf('no leader')).toBe('bold');
    expect(styleOf('quorumAtRisk')).toBe('yellow');
    expect(styleOf('n1  ')).toBe('plain');
    expect(styleOf('n2  ')).toBe('red');
    expect(styleOf('draining')).toBe('yellow');
    expect(styleOf('paused')).toBe('yellow');
  });

  it('leaves out what the token may not read', () => {
    const text = textOf(snapshotOf({ cluster: null, runners: null }));
    expect(text).not.toMatch(/MEMBER|RUNNER/);
    expect(text).toMatch(/QUEUE/);
  });

  it('puts the busiest first, or goes by name', () => {
    const order = (sort: FrameOptions['sort']) =>
      [...textOf(snapshotOf(), { sort }).matchAll(/^(r\d|a|b) /gm)].map((match) => match[1]);
    expect(order('busiest')).toEqual(['r2', 'r1', 'b', 'a']);
    expect(order('name')).toEqual(['r1', 'r2', 'a', 'b']);
  });

  it.each([
    [80, 24],
    [40, 12],
    [20, 5],
    [1, 1],
  ])('fits a terminal of %i columns and %i rows, whatever there is', (columns, rows) => {
    const many = Array.from({ length: 50 }, (_, i) => i);
    const snapshot = snapshotOf({
      cluster: clusterView(many.map((i) => memberView(`12D3KooWmember${i}`))),
      runners: many.map((i) => runnerView(`12D3KooWrunner${i}`, i % 8, { labels: { zone: 'x'.repeat(100) } })),
      queues: many.map((i) => queueView(`日本語の長い名前のキュー${i}`, { queued: i })),
    });
    const lines = renderFrame(snapshot, { columns, rows, sort: 'busiest' });
    expect(lines.length).toBeLessThanOrEqual(rows);
    for (const { text } of lines) expect(widthOf(text)).toBeLessThanOrEqual(columns);
    if (rows === 24) {
      const text = lines.map((line) => line.text).join('\n');
      for (const part of ['MEMBER', 'RUNNER', 'QUEUE']) expect(text).toContain(part);
      expect(text.match(/^… 4\d more$/gm)).toHaveLength(3);
    }
  });

  it('gives the room that a short table leaves to a long one', () => {
    const runners = Array.from({ length: 10 }, (_, i) => runnerView(`r${10 + i}`, 0));
    const text = textOf(snapshotOf({ runners, queues: [] }), { rows: 24 });
    for (const { id } of runners) expect(text).toContain(id);
    expect(text).not.toContain('more');
  });

  it('leaves no heading out for a row that would fit without it', () => {
    const runners = Array.from({ length: 11 }, (_, i) => runnerView(`r${10 + i}`, 0));
    const text = textOf(snapshotOf({ runners, queues: [] }), { rows: 24 });
    expect(text).toMatch(/^… 2 more$/m);
    expect(text).toMatch(/QUEUE.*\nnone$/);
  });

  it('shows names that hold control characters as one plain line', () => {
    const queues = [queueView('evil\u001b[2J\u001b]0;title\u0007\nname\u202e')];
    const text = textOf(snapshotOf({ queues }));
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(text).toMatch(/^evil name +open/m);
  });
});
