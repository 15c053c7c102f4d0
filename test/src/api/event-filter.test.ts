import { describe, expect, it } from 'vitest';
import { type EventFilter, matchesEvent } from '../../../src/api/event-filter.ts';
import { EVENT_KINDS, type JobEventView } from '../../../src/api/event-view.ts';
import type { KeptChange } from '../../../src/api/to-event-view.ts';
import type { GroupId, JobId, NodeId } from '../../../src/ids.ts';
import { createGroup } from '../../../src/jobs/group.ts';

const JOB = 'j' as JobId;
const GROUP = 'g' as GroupId;
const PARENT = 'p' as JobId;

const told: JobEventView = {
  id: JOB,
  state: 'running',
  before: 'assigned',
  name: null,
  project: 'web',
  queue: 'nightly',
  labels: { team: 'core', tier: '1' },
  group: GROUP,
  parent: PARENT,
  attempt: 1,
  runner: 'r',
  exitCode: null,
  signal: null,
  reason: null,
};
const spec = { name: null, project: 'web', labels: { team: 'core' }, maxRunning: null, onFailure: 'continue' } as const;
const job: KeptChange = { kind: 'job', id: JOB, job: told };
const goneJob: KeptChange = { kind: 'job', id: JOB, job: null };
const group: KeptChange = { kind: 'group', id: GROUP, group: createGroup(GROUP, spec, 'me', { at: 0, index: 1 }) };
const goneGroup: KeptChange = { kind: 'group', id: GROUP, group: null };
const runner: KeptChange = { kind: 'runner', id: 'r' as NodeId, runner: null };
const all = { job, goneJob, group, goneGroup, runner };

type Narrowing = Omit<EventFilter, 'kinds'>;

const kinds = new Set(EVENT_KINDS);

describe('the filter of events', () => {
  it.each<[string, Narrowing, readonly (keyof typeof all)[]]>([
    ['nothing', {}, ['job', 'goneJob', 'group', 'goneGroup', 'runner']],
    ['its project', { project: 'web' }, ['job', 'group']],
    ['another project', { project: 'api' }, []],
    ['its queue', { queue: 'nightly' }, ['job']],
    ['another queue', { queue: 'default' }, []],
    ['its group', { group: GROUP }, ['job', 'group', 'goneGroup']],
    ['another group', { group: 'h' as GroupId }, []],
    ['its parent', { parent: PARENT }, ['job']],
    ['another parent', { parent: JOB }, []],
    ['its id', { job: JOB }, ['job', 'goneJob']],
    ['another id', { job: PARENT }, []],
    ['a label', { labels: { team: 'core' } }, ['job', 'group']],
    ['two labels', { labels: { team: 'core', tier: '1' } }, ['job']],
    ['another value of a label', { labels: { team: 'infra' } }, []],
    ['its state', { states: new Set(['running', 'lost'] as const) }, ['job']],
    ['another state', { states: new Set(['queued'] as const) }, []],
    ['its project and another queue', { project: 'web', queue: 'default' }, []],
  ])('lets through what matches %s', (_what, narrowing, expected) => {
    const passed = Object.entries(all).filter(([, change]) => matchesEvent(change, { kinds, ...narrowing }));
    expect(passed.map(([name]) => name)).toEqual(expected);
  });

  it('lets through the kinds that are asked for alone', () => {
    const member: KeptChange = { kind: 'node', id: 'r' as NodeId, node: null };
    expect(matchesEvent(member, { kinds: new Set(['member']) })).toBe(true);
    expect(matchesEvent(runner, { kinds: new Set(['member']) })).toBe(false);
    expect(matchesEvent(job, { kinds: new Set(['group']) })).toBe(false);
  });
});
