import { describe, expect, it } from 'vitest';
import type { QueueView } from '../../../src/api/views.ts';
import { answerJson, JOB_ID, queuedExplanation } from '../../support/fake-api.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';

const cli = useFakeCommandLine();
const USED = { cpu: 2, memory: 0, gpu: 0, disk: 0, custom: {} };

function queueView(changes: Partial<QueueView> = {}): QueueView {
  return {
    name: 'nightly',
    weight: 2,
    paused: false,
    strategy: 'spread',
    preemption: 'off',
    limits: { running: 8, cpu: null, memory: 2 ** 31 },
    projectLimits: { running: null, cpu: 1.5, memory: null },
    queued: 5,
    running: 2,
    used: USED,
    share: 0.25,
    projects: [{ project: 'web', queued: 5, running: 2, used: USED, share: 0.25 }],
    index: 9,
    ...changes,
  };
}

describe('quorate queues', () => {
  it.each([['queues'], ['queues list']])('lists them with their counts: %s', async (words) => {
    cli.api.handler = (_request, response) =>
      answerJson(response, { items: [queueView(), queueView({ name: 'b', paused: true })], nextCursor: null });
    const { stdout } = await cli.quorate(words.split(' '));
    expect(stdout).toMatch(/nightly +open +2 +5 +2 +25\.0% +spread +8 jobs, 2GiB; each project 1\.5 processors/);
    expect(stdout).toMatch(/b +paused/);
    expect(cli.api.requests[0]).toMatchObject({ method: 'GET', path: '/v1/queues' });
  });

  it('shows one with its projects', async () => {
    cli.api.handler = (_request, response) => answerJson(response, queueView());
    const { stdout } = await cli.quorate(['queues', 'show', 'nightly']);
    expect(stdout).toMatch(/jobs +5 queued, 2 running, 25\.0% of the cluster/);
    expect(stdout).toMatch(/project +web: 5 queued, 2 running/);
  });

  it.each<[string, string, object | undefined]>([
    ['pause nightly', 'PUT', { paused: true }],
    ['resume nightly', 'PUT', { paused: false }],
    ['reset nightly', 'DELETE', undefined],
    ['set nightly --weight 3 --strategy pack', 'PUT', { weight: 3, strategy: 'pack' }],
    ['set nightly --preemption requeue', 'PUT', { preemption: 'requeue' }],
    [
      'set nightly --max-running 0 --max-cpu none --max-memory 2GiB',
      'PUT',
      { limits: { running: 0, cpu: null, memory: '2GiB' } },
    ],
    [
      'set nightly --project-max-running none --project-max-cpu 1.5 --project-max-memory none',
      'PUT',
      { projectLimits: { running: null, cpu: 1.5, memory: null } },
    ],
  ])('changes one: %s', async (words, method, body) => {
    cli.api.handler = (_request, response) => answerJson(response, queueView());
    expect((await cli.quorate(['queues', ...words.split(' ')])).code).toBe(0);
    expect(cli.api.requests[0]).toMatchObject({
      method,
      path: '/v1/queues/nightly',
      body: body === undefined ? '' : JSON.stringify(body),
    });
  });

  it('sets nothing when nothing is named', async () => {
    const { code, stderr } = await cli.quorate(['queues', 'set', 'nightly']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/nothing to set/);
    expect(cli.api.requests).toHaveLength(0);
  });
});

describe('quorate explain', () => {
  it('tells of a paused queue, of limits, and whose turn it is', async () => {
    const explanation = queuedExplanation({
      runners: 2,
      able: 2,
      reasons: [
        { kind: 'paused', queue: 'nightly', runners: 2 },
        {
          kind: 'limit',
          of: 'project',
          name: 'web',
          limit: 'cpuMilli',
          wanted: 1000,
          used: 1500,
          most: 2000,
          runners: 2,
        },
      ],
      turn: { queue: 'nightly', weight: 2, queueShare: 0.5, project: 'web', projectShare: 0.125 },
    });
    cli.api.handler = (_request, response) => answerJson(response, explanation);
    const { stdout } = await cli.quorate(['explain', JOB_ID]);
    expect(stdout).toMatch(/the queue nightly is paused/);
    expect(stdout).toMatch(/the project web has 1\.5 of at most 2 processors in use, and the job asks for 1/);
    expect(stdout).toMatch(/nightly \(weight 2\) holds 50\.0% of the cluster, the project web in it 12\.5%/);
  });
});
