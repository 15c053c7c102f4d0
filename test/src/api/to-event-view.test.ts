import { describe, expect, it } from 'vitest';
import { keptChange, parsePosition, formatPosition, toEventView } from '../../../src/api/to-event-view.ts';
import { SYSTEM } from '../../../src/auth.ts';
import type { NodeId, TokenId } from '../../../src/ids.ts';
import { DEFAULT_QUEUE } from '../../../src/jobs/queue-settings.ts';
import type { ChangeEvent } from '../../../src/state/apply.ts';
import { assign, ended, jobId, LOCAL, R1, started, submit, TestReplica } from '../builders.ts';

function view(event: ChangeEvent) {
  const change = keptChange(event);
  return change && toEventView({ index: 12, ordinal: 3, at: Date.UTC(2026, 0, 2), change });
}

/** The events of one job that is submitted, placed, started and ended. */
function lifeOfJob(): readonly ChangeEvent[] {
  const replica = TestReplica.withRunner();
  const commands = [
    submit(1, { spec: { name: 'unit', project: 'web', labels: { team: 'core' } } }),
    assign(1, 1),
    started(1, 1),
    ended(1, 1),
  ];
  return commands.flatMap((command) => {
    replica.propose(command.kind === 'submit' ? LOCAL : SYSTEM, [command]);
    return replica.last.events;
  });
}

describe('an event', () => {
  it('tells of a job what it is and how it stands, without its spec', () => {
    const [submitted, assigned, running, end] = lifeOfJob().map(view);
    expect(submitted).toEqual({
      id: '12.3',
      at: '2026-01-02T00:00:00.000Z',
      kind: 'job',
      subject: jobId(1),
      job: {
        id: jobId(1),
        state: 'queued',
        before: null,
        name: 'unit',
        project: 'web',
        queue: 'default',
        labels: { team: 'core' },
        group: null,
        parent: null,
        attempt: 0,
        runner: null,
        exitCode: null,
        signal: null,
        reason: null,
      },
    });
    const placed = { attempt: 1, runner: R1, exitCode: null };
    expect(assigned).toMatchObject({ job: { before: 'queued', state: 'assigned', ...placed } });
    expect(running).toMatchObject({ job: { before: 'assigned', state: 'running', ...placed } });
    expect(end).toMatchObject({ job: { before: 'running', state: 'succeeded', ...placed, exitCode: 0 } });
  });

  it('tells what is gone by its id', () => {
    const node = 'n' as NodeId;
    expect(view({ kind: 'purged', id: jobId(1) })).toMatchObject({ kind: 'job', subject: jobId(1), job: null });
    expect(view({ kind: 'queue', name: 'q', queue: null })).toMatchObject({ kind: 'queue', subject: 'q', queue: null });
    expect(view({ kind: 'runner', id: node, runner: null })).toMatchObject({ subject: 'n', runner: null });
    expect(view({ kind: 'node', id: node, node: null })).toMatchObject({ kind: 'member', subject: 'n', member: null });
  });

  it('tells of queues and members what is set', () => {
    const queue = { ...DEFAULT_QUEUE, state: 'paused', weight: 3, index: 9 } as const;
    expect(view({ kind: 'queue', name: 'q', queue })).toMatchObject({
      queue: { name: 'q', weight: 3, paused: true, strategy: 'spread' },
    });
    const node = { id: 'n' as NodeId, addresses: ['/ip4/127.0.0.1'], http: null, version: '1.0.0' };
    expect(view({ kind: 'node', id: node.id, node })).toMatchObject({ member: { ...node, wish: null } });
  });

  it('is not made of tokens', () => {
    expect(view({ kind: 'token', id: 't' as TokenId, token: null })).toBeNull();
  });
});

describe('the id of an event', () => {
  it.each(['0', '7', '7.0', '123456789.42'])('%s is read as it is written', (text) => {
    const position = parsePosition(text);
    expect(position && formatPosition(position)).toBe(text);
  });

  it.each(['', 'x', '1.', '.1', '-1', '1.2.3', '1e3', '1234567890123456', ' 1'])('%j is none', (text) => {
    expect(parsePosition(text)).toBeNull();
  });
});
