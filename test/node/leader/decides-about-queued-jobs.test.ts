import { describe, expect, it } from 'vitest';
import { decidesAboutQueuedJobs } from '../../../node/leader/decides-about-queued-jobs.ts';
import type { Command } from '../../../src/state/commands.ts';
import {
  assign,
  cancel,
  ended,
  I1,
  jobId,
  R1,
  R2,
  register,
  setQueue,
  started,
  submit,
  TestReplica,
} from '../../src/builders.ts';

const wakes = ({ last }: TestReplica) => last.events.some(decidesAboutQueuedJobs);

describe('the scheduler', () => {
  it.each<readonly [string, boolean, Command]>([
    ['is woken by a job that is queued', true, submit(3)],
    ['is woken by the end of an attempt', true, ended(1, 1)],
    ['is woken when a queued job is cancelled, for which a runner may have been reserved', true, cancel(2)],
    ['is woken by a queue that changes', true, setQueue('q', { weight: 2 })],
    ['is woken by a runner that comes', true, register(R2, I1)],
    ['sleeps while a job that runs is told to', false, cancel(1)],
    ['sleeps at a start', false, started(1, 1)],
    ['sleeps at an assignment', false, assign(2, 1)],
  ])('%s', (_, woken, command) => {
    const replica = TestReplica.withRunner();
    replica.local(submit(1, { placement: { runner: R1, incarnation: I1 } }), submit(2));
    const isClients = ['submit', 'cancel', 'setQueue'].includes(command.kind);
    if (isClients) replica.local(command);
    else replica.system(command);
    expect(wakes(replica)).toBe(woken);
  });

  it('is woken when a job that has a claim is placed elsewhere: others may have the room', () => {
    const replica = TestReplica.withRunner();
    replica.local(setQueue('batch', { preemption: 'requeue' }));
    const whole = { resources: { cpu: 4 } };
    replica.local(submit(1, { spec: { ...whole, queue: 'batch', priority: 1 } }), submit(2, { spec: whole }));
    const placement = { runner: R1, incarnation: I1 };
    const victims = [{ job: jobId(1), attempt: 1 }];
    replica.system(assign(1, 1), register(R2, I1));
    replica.system({ kind: 'preempt', job: jobId(2), attempt: 1, placement, victims });
    expect(replica.job(2)).toHaveProperty('claim');
    replica.system(assign(2, 1, R2));
    expect(wakes(replica)).toBe(true);
  });
});
