import { describe, expect, it } from 'vitest';
import { toJobView } from '../../../src/api/job-view.ts';
import { toRunnerView } from '../../../src/api/runner-view.ts';
import {
  assign,
  cancel,
  ended,
  ending,
  FAILED,
  I1,
  jobId,
  R1,
  START,
  started,
  submit,
  TestReplica,
} from '../builders.ts';

const placement = { runner: R1, incarnation: I1 };
const at = (ms: number) => new Date(START + ms).toISOString();

describe('toJobView', () => {
  it('shows a queued job without attempts', () => {
    const replica = TestReplica.founded();
    replica.local(submit(1, { spec: { project: 'p', queue: 'q' } }));
    expect(toJobView(replica.job(1))).toEqual({
      id: jobId(1),
      state: 'queued',
      spec: { command: ['true'], project: 'p', queue: 'q' },
      project: 'p',
      queue: 'q',
      submittedBy: 'local',
      submittedAt: at(0),
      finalAt: null,
      exitCode: null,
      signal: null,
      reason: null,
      attempts: [],
      parent: null,
      group: null,
      schedule: null,
      waitsFor: null,
      index: 2,
    });
  });

  it('shows each attempt, the live one last', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { placement, spec: { retry: { max: 1, backoff: { initial: '0s' } } } }));
    replica.system(ended(1, 1, FAILED), assign(1, 2), started(1, 2));
    const view = toJobView(replica.job(1));
    expect(view).toMatchObject({ state: 'running', exitCode: null, finalAt: null });
    expect(view.attempts).toMatchObject([
      { attempt: 1, state: 'failed', exitCode: 1, startedAt: at(1), endedAt: at(5) },
      { attempt: 2, state: 'running', runner: R1, assignedAt: at(0), startedAt: at(0), endedAt: null },
    ]);
  });

  it('shows how the last attempt ended, and why', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { placement }), submit(2));
    replica.at += 7;
    const usage = { cpuUserMs: 1, cpuSystemMs: 2, maxRssBytes: 3 };
    replica.system(ended(1, 1, ending({ outcome: 'failed', exitCode: 127, reason: 'command not found', usage })));
    replica.local(cancel(2));
    expect(toJobView(replica.job(1))).toMatchObject({
      state: 'failed',
      finalAt: at(7),
      exitCode: 127,
      reason: 'command not found',
      attempts: [{ usage }],
    });
    expect(toJobView(replica.job(2))).toMatchObject({ state: 'cancelled', reason: 'cancelled by local', attempts: [] });
  });
});

describe('toRunnerView', () => {
  it('shows what is free and what runs there, in the units of the API', () => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { placement, spec: { resources: { cpu: 1.5, memory: '1GiB' } } }));
    const load = { load1: 0.5, memoryFree: 1, diskFree: 2 };
    expect(toRunnerView(replica.state, replica.state.runners.get(R1)!, load)).toEqual({
      id: R1,
      incarnation: I1,
      total: { cpu: 4, memory: 2 ** 33, gpu: 0, disk: 2 ** 40, custom: {} },
      free: { cpu: 2.5, memory: 2 ** 33 - 2 ** 30, gpu: 0, disk: 2 ** 40, custom: {} },
      labels: {},
      state: 'ready',
      running: [jobId(1)],
      load,
    });
  });
});
