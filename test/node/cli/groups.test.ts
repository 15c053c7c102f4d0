import { describe, expect, it } from 'vitest';
import type { ExplanationView, GroupView } from '../../../src/api/views.ts';
import { answerJson, JOB_ID, jobView, queuedExplanation } from '../../support/fake-api.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';

const cli = useFakeCommandLine();
const GROUP_ID = '019a0000-0000-7000-9000-000000000001';
const NONE = {
  waiting: 0,
  queued: 0,
  assigned: 0,
  running: 0,
  succeeded: 0,
  failed: 0,
  timedOut: 0,
  cancelled: 0,
  lost: 0,
  expired: 0,
};

function groupView(changes: Partial<GroupView> = {}): GroupView {
  return {
    id: GROUP_ID,
    name: 'all',
    project: 'default',
    labels: {},
    state: 'open',
    maxRunning: null,
    failFast: false,
    counts: { ...NONE, running: 1, succeeded: 2 },
    createdBy: 'local',
    createdAt: '2026-01-01T00:00:00.000Z',
    finishedAt: null,
    cancelledBy: null,
    index: 1,
    ...changes,
  };
}

describe('quorate group', () => {
  it('makes one and prints its id alone', async () => {
    cli.api.handler = (_request, response) => answerJson(response, groupView(), 201);
    const { stdout } = await cli.quorate(['group', 'create', '--name', 'all', '--max-running', '3', '--fail-fast']);
    expect(stdout).toBe(`${GROUP_ID}\n`);
    expect(cli.api.requests[0]).toMatchObject({
      path: '/v1/groups',
      body: JSON.stringify({ name: 'all', maxRunning: 3, failFast: true }),
    });
  });

  it('shows how its jobs stand', async () => {
    cli.api.handler = (_request, response) => answerJson(response, groupView());
    expect((await cli.quorate(['group', 'status', GROUP_ID])).stdout).toMatch(/jobs +1 running, 2 succeeded/);
  });

  it.each([
    [{ ...NONE, succeeded: 3 }, 0],
    [{ ...NONE, succeeded: 2, failed: 1 }, 1],
  ])('closes one and waits for it: %j is exit code %i', async (counts, code) => {
    cli.api.handler = ({ path }, response) => {
      const isOver = path.endsWith('/wait');
      answerJson(response, isOver ? groupView({ state: 'finished', counts }) : groupView({ state: 'closed' }));
    };
    expect((await cli.quorate(['group', 'wait', '--close', GROUP_ID])).code).toBe(code);
    expect(cli.api.requests[0]).toMatchObject({ method: 'POST', path: `/v1/groups/${GROUP_ID}/close` });
  });

  it('gives up waiting when it was told to', async () => {
    cli.api.handler = (_request, response) => answerJson(response, groupView());
    const { code, stderr } = await cli.quorate(['group', 'wait', GROUP_ID, '--timeout', '1ms']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/not finished yet.*group close \(timedOut\)\n  next: .*group wait/);
  });
});

describe('quorate explain', () => {
  it.each<[ExplanationView, RegExp]>([
    [{ state: 'waiting', why: 'dependencies', missing: [JOB_ID] }, /^waiting for the end of 019a/],
    [{ state: 'waiting', why: 'group', inside: 2, ahead: 5 }, /2 jobs of it queued or running, 5 whose turn/],
    [
      { state: 'running', runner: 'r1', attempt: 2, makesRoomFor: null, preempted: { times: 0, most: 3 } },
      /^running: attempt 2 at the runner r1\n$/,
    ],
    [
      {
        state: 'running',
        runner: 'r1',
        attempt: 2,
        makesRoomFor: { job: JOB_ID, priority: 90, since: '2030-01-01T00:00:00.000Z' },
        preempted: { times: 1, most: 3 },
      },
      /to make room for the job 019a[^]*of priority 90\n {2}made room for others 1 of at most 3 times/,
    ],
    [{ state: 'cancelled', reason: 'cancelled by local' }, /^cancelled: cancelled by local/],
    [
      queuedExplanation({
        ahead: 3,
        runners: 2,
        able: 1,
        reasons: [
          { kind: 'resource', resource: 'cpuMilli', wanted: 8000, mostFree: 1500, mostTotal: 4000, runners: 2 },
          { kind: 'constraint', constraint: 'os == plan9', runners: 1 },
        ],
      }),
      /3 jobs before it; 0 of 2 runners[^]*asks for 8, the most that is free at one is 1\.5 of 4[^]*"os == plan9"/,
    ],
    [queuedExplanation({ runners: 2 }), /no runner of the cluster could ever hold it/],
    [
      queuedExplanation({
        able: 2,
        claim: { runner: 'r1', since: '2030-01-01T00:00:00.000Z', stopping: 2 },
        lower: { preemptible: 3, spared: { queue: 4, retryNever: 1, preemptions: 0, ending: 2 } },
      }),
      /at the runner r1 since 2030[^]*2 attempts still[^]*10 attempts of lower priority: 3 may[^]*4 of queues without[^]*1 that may run once only, 2 being stopped/,
    ],
  ])('tells %j in words', async (explanation, text) => {
    cli.api.handler = (_request, response) => answerJson(response, explanation);
    expect((await cli.quorate(['explain', JOB_ID])).stdout).toMatch(text);
    expect(cli.api.requests[0]).toMatchObject({ path: `/v1/jobs/${JOB_ID}/explain` });
  });
});

describe('the flags of a job', () => {
  it('tell what binds it to others', async () => {
    cli.api.handler = (_request, response) => answerJson(response, jobView({ state: 'waiting', attempts: [] }), 201);
    const flags = [
      '--after',
      JOB_ID,
      '--after',
      `${GROUP_ID}:finished`,
      '--group',
      GROUP_ID,
      '--resource-group',
      'one',
    ];
    await cli.quorate(['submit', ...flags, '--', 'true']);
    expect(JSON.parse(cli.api.requests[0]?.body ?? '')).toEqual({
      command: ['true'],
      dependsOn: [{ job: JOB_ID }, { job: GROUP_ID, on: 'finished' }],
      group: GROUP_ID,
      resourceGroup: 'one',
    });
  });
});
