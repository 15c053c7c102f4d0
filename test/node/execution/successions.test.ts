import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Successions } from '../../../node/execution/successions.ts';
import { SYSTEM } from '../../../src/auth.ts';
import { Fault } from '../../../src/errors.ts';
import type { FinalJob, LiveJob } from '../../../src/jobs/job.ts';
import type { Command } from '../../../src/state/commands.ts';
import { isLive } from '../../../src/state/state.ts';
import { assign, assignBehind, ended, FAILED, jobId, started, submit, TestReplica } from '../../src/builders.ts';

const HALF = { resources: { cpu: 2 } };
const PATIENCE_MS = 50;
const attempt = (n: number) => ({ job: jobId(n), attempt: 1 });

/** A runner that is full with jobs 1 and 2, which have begun; each command is one entry, and its events are heard. */
class Bed {
  readonly replica = TestReplica.withRunner();
  readonly begun: string[] = [];
  readonly proposed: Command[] = [];
  /** Else a hand-back is carried out at once. */
  onPropose: 'carryOut' | 'fail' | 'hang' = 'carryOut';
  readonly successions = this.newSuccessions();

  constructor() {
    for (let n = 1; n <= 6; n += 1) this.replica.local(submit(n, { spec: HALF }));
    this.apply(assign(1, 1), assign(2, 1));
    this.begun.length = 0;
  }

  newSuccessions(): Successions {
    const replica = this.replica;
    return new Successions({
      replica: {
        get state() {
          return replica.state;
        },
        propose: (_by, commands) => this.#propose(commands),
      },
      logger: pino({ level: 'silent' }),
      begin: ({ id }) => void this.begun.push(id),
    });
  }

  apply(...commands: Command[]): void {
    this.replica.propose(SYSTEM, commands);
    for (const event of this.replica.last.events) {
      if (event.kind !== 'job') continue;
      const { job, before } = event;
      if (job.state === 'assigned') this.successions.assigned(job);
      else if (job.state !== 'running' && before !== null) this.successions.gone({ job: job.id, attempt: 1 });
    }
  }

  live(n: number): LiveJob {
    const job = this.replica.job(n);
    if (!isLive(job)) throw new Error(`the job ${n} is ${job.state}`);
    return job;
  }

  async #propose(commands: readonly Command[]) {
    this.proposed.push(...commands);
    if (this.onPropose === 'fail') throw new Fault('noLeader', 'nobody leads');
    if (this.onPropose === 'hang') return new Promise<never>(() => undefined);
    this.apply(...commands);
    return commands.map(() => ({ ok: true }) as const);
  }
}

let bed: Bed;
beforeEach(() => {
  vi.useFakeTimers();
  bed = new Bed();
});
afterEach(() => {
  bed.successions.stop();
  vi.useRealTimers();
});

describe('Successions', () => {
  it('begins what has room at once, and once', () => {
    bed.apply(ended(1, 1), assign(3, 1));
    bed.successions.assigned(bed.live(3));
    bed.successions.found(bed.live(3), 'notHeld');
    expect(bed.begun).toEqual([jobId(3)]);
  });

  it('begins what is behind another at the end of that one, and not again when the state says so', () => {
    bed.apply(assignBehind(3, 1), assignBehind(4, 2));
    expect(bed.begun).toEqual([]);
    expect(bed.successions.ended(attempt(1))).toBe('passedOn');
    expect(bed.begun).toEqual([jobId(3)]);
    bed.apply(ended(1, 1));
    expect(bed.begun).toEqual([jobId(3)]);
    expect(bed.successions.ended(attempt(3))).toBe('free');
  });

  it('goes on through a line while the log lags behind', () => {
    bed.apply(assignBehind(3, 1), assignBehind(4, 3), assignBehind(5, 4));
    for (const n of [1, 3, 4]) expect(bed.successions.ended(attempt(n))).toBe('passedOn');
    expect(bed.begun).toEqual([jobId(3), jobId(4), jobId(5)]);
    bed.apply(ended(3, 1), ended(1, 1), ended(4, 1));
    expect(bed.begun).toHaveLength(3);
  });

  it('begins at once what comes to be behind one that has ended here', () => {
    expect(bed.successions.ended(attempt(1))).toBe('free');
    bed.apply(assignBehind(3, 1));
    expect(bed.begun).toEqual([jobId(3)]);
  });

  it('gives nobody the room of an attempt that ended without having begun: it had none', () => {
    bed.apply(assignBehind(3, 1), assignBehind(4, 3));
    bed.successions.stopped(jobId(3));
    expect(bed.successions.ended(attempt(3))).toBe('free');
    expect(bed.begun).toEqual([]);
    bed.apply(ended(3, 1));
    expect(bed.successions.ended(attempt(1))).toBe('passedOn');
    expect(bed.begun).toEqual([jobId(4)]);
  });

  it('hands back what waits for long, the last of a line first', async () => {
    bed.apply(assignBehind(3, 1), assignBehind(4, 3));
    await vi.advanceTimersByTimeAsync(PATIENCE_MS + 10);
    expect(bed.proposed.map((command) => command.kind === 'handBack' && command.job)).toEqual([jobId(4), jobId(3)]);
    expect([bed.replica.job(3).state, bed.replica.job(4).state]).toEqual(['queued', 'queued']);
    expect(bed.successions.ended(attempt(1))).toBe('free');
    expect(bed.begun).toEqual([]);
  });

  it('never begins what it is handing back, but for the state', async () => {
    bed.onPropose = 'hang';
    bed.apply(assignBehind(3, 1));
    await vi.advanceTimersByTimeAsync(PATIENCE_MS + 10);
    expect(bed.proposed).toHaveLength(1);
    expect(bed.successions.ended(attempt(1))).toBe('free');
    expect(bed.begun).toEqual([]);
    bed.apply(ended(1, 1));
    expect(bed.begun).toEqual([jobId(3)]);
  });

  it('hands back again what was not taken, unless the job has changed', async () => {
    bed.onPropose = 'fail';
    bed.apply(assignBehind(3, 1), assignBehind(4, 2));
    await vi.advanceTimersByTimeAsync(PATIENCE_MS + 10);
    expect(bed.proposed).toHaveLength(2);
    bed.apply(ended(2, 1));
    bed.onPropose = 'carryOut';
    await vi.advanceTimersByTimeAsync(10_000);
    expect(bed.proposed.slice(2)).toEqual([
      bed.proposed.find((command) => 'job' in command && command.job === jobId(3)),
    ]);
    expect(bed.replica.job(3).state).toBe('queued');
    expect(bed.begun).toEqual([jobId(4)]);
  });

  it('hands back what an earlier start of the node may have handed back, and takes over what the runner has', () => {
    bed.apply(assignBehind(3, 1), assignBehind(4, 2));
    const later = bed.newSuccessions();
    bed.onPropose = 'hang';
    bed.proposed.length = 0;
    later.found(bed.live(1), 'held');
    later.found(bed.live(2), 'held');
    later.found(bed.live(3), 'notHeld');
    later.found(bed.live(4), 'held');
    expect(bed.begun).toEqual([jobId(1), jobId(2), jobId(4)]);
    expect(later.ended(attempt(1))).toBe('free');
    expect(bed.proposed).toEqual([{ kind: 'handBack', job: jobId(3), index: bed.live(3).index }]);
    later.stop();
  });

  it('knows nothing of what an earlier runner process had begun', () => {
    bed.apply(assignBehind(3, 1));
    bed.successions.clear();
    expect(bed.successions.ended(attempt(1))).toBe('free');
    expect(bed.begun).toEqual([]);
  });

  it('begins nothing twice that is told as running', () => {
    bed.apply(assignBehind(3, 1));
    bed.successions.ended(attempt(1));
    bed.apply(started(3, 1));
    bed.apply(ended(1, 1));
    expect(bed.begun).toEqual([jobId(3)]);
  });

  it('takes no later attempt of a job for one that ended here, where a snapshot hid that that one went', () => {
    bed.successions.ended(attempt(1));
    bed.replica.system(ended(1, 1, FAILED));
    bed.replica.local({ kind: 'retry', job: jobId(1), record: bed.replica.job(1) as FinalJob });
    bed.apply(assign(1, 2));
    bed.apply(assignBehind(3, 1));
    expect(bed.begun).toEqual([jobId(1)]);
  });
});
