import { describe, expect, it } from 'vitest';
import type { EventView } from '../../../src/api/event-view.ts';
import { answerProblem, JOB_ID } from '../../support/fake-api.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';

const cli = useFakeCommandLine();

const job = {
  id: JOB_ID,
  state: 'failed',
  before: 'running',
  name: 'unit\u001b[31m tests',
  project: 'p',
  queue: 'q',
  labels: {},
  group: null,
  parent: null,
  attempt: 2,
  runner: 'r',
  exitCode: 7,
  signal: null,
  reason: null,
} as const;
const at = '2026-01-02T03:04:05.678Z';
const told: readonly EventView[] = [
  { id: '5.0', at, kind: 'job', subject: JOB_ID, job },
  {
    id: '5.1',
    at,
    kind: 'queue',
    subject: 'nightly',
    queue: { name: 'nightly', weight: 2, paused: true, strategy: 'pack' },
  },
  { id: '6.0', at, kind: 'runner', subject: 'r', runner: null },
];

function tellThenRefuse(): void {
  let asked = 0;
  cli.api.handler = (_request, response) => {
    asked += 1;
    if (asked > 1) return answerProblem(response, 403, 'forbidden');
    const text = told.map((event) => `id: ${event.id}\nevent: event\ndata: ${JSON.stringify(event)}\n\n`).join('');
    return response.end(`${text}id: 9\nevent: gap\ndata: {"after":"6.0","resumed":"9"}\n\n`);
  };
}

describe('quorate events', () => {
  it('shows a change in a line, and a gap beside them', async () => {
    tellThenRefuse();
    const { stdout, stderr, code } = await cli.quorate(['events']);
    expect(stdout.split('\n')).toEqual([
      `${at}  job     ${JOB_ID}  running → failed, attempt 2, exit code 7, (unit tests)`,
      `${at}  queue   nightly  weight 2, paused`,
      `${at}  runner  r  is gone`,
      '',
    ]);
    expect(stderr).toContain('events after 6.0 up to 9 are not remembered any more');
    expect(code).toBe(4);
  });

  it('prints each as the API tells it with --json', async () => {
    tellThenRefuse();
    const { stdout } = await cli.quorate(['events', '--json']);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(lines).toEqual([...told, { kind: 'gap', after: '6.0', resumed: '9' }]);
  });

  it('asks for what the flags name', async () => {
    cli.api.handler = (_request, response) => answerProblem(response, 403, 'forbidden');
    await cli.quorate([
      'events',
      '--kind',
      'job',
      'group',
      '--state',
      'lost',
      '--label',
      'a=1',
      '--project',
      'p',
      '--after',
      '3',
    ]);
    const [asked] = cli.api.requests;
    expect(asked?.query.toString()).toBe('project=p&kind=job&kind=group&state=lost&label=a%3D1');
    expect(asked?.headers['last-event-id']).toBe('3');
  });

  it('refuses a kind that there is not', async () => {
    const { code, stderr } = await cli.quorate(['events', '--kind', 'token']);
    expect(code).toBe(2);
    expect(stderr).toContain('job, group, queue, runner, member');
  });
});
