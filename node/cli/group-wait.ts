import type { GroupView } from '../../src/api/views.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import { JOB_STATES } from '../../src/jobs/job.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { durationOf } from './duration-flag.ts';
import { EXIT } from './exit-codes.ts';
import { describeGroup } from './group.ts';
import { untilInterrupted } from './interrupt.ts';
import type { ConnectionOptions, QuietOption } from './options.ts';
import { Progress } from './progress.ts';
import { errorFormat, tell } from './tell-error.ts';
import { countsText } from './wait-for-all.ts';

export interface GroupWaitOptions extends ConnectionOptions, QuietOption {
  readonly timeout?: string;
  readonly close?: true;
}

/** How often the progress of a group is looked at. */
const LOOK_MS = 1_000;

/** Exit code 1 when a job of it did not succeed, or when it is not finished in time. */
export async function groupWait(
  context: CommandContext,
  [id]: readonly [id: string],
  options: GroupWaitOptions,
): Promise<number> {
  const client = connect(context, options);
  const { timeout } = options;
  const endsAt = timeout === undefined ? Infinity : performance.now() + durationOf('--timeout', timeout);
  const next = `quorate group wait ${id}, quorate group cancel ${id}`;
  const work = async (signal: AbortSignal): Promise<number> => {
    const group = await watch(context, client, id, { ...options, endsAt, signal });
    await (options.json === true ? context.stdout.json(group) : context.stdout.line(describeGroup(group)));
    if (group.state === 'finished') return group.counts.succeeded === totalOf(group) ? EXIT.done : EXIT.failed;
    const why = group.state === 'open' ? 'it is still open: quorate group close' : 'jobs of it have not ended';
    const what = `the group ${id} is not finished yet; ${why}`;
    return tell(context.stderr, { what, code: 'timedOut', next, exitCode: EXIT.failed }, errorFormat(options));
  };
  return untilInterrupted(context, work, (exitCode) => {
    const what = `stopped waiting for the group ${id}, whose jobs go on`;
    return tell(context.stderr, { what, code: 'interrupted', next, exitCode }, errorFormat(options));
  });
}

interface WatchOptions extends GroupWaitOptions {
  /** On the clock of `performance.now`. */
  readonly endsAt: number;
  readonly signal: AbortSignal;
}

async function watch(
  context: CommandContext,
  { groups }: QuorateClient,
  id: string,
  { close, quiet, endsAt, signal }: WatchOptions,
): Promise<GroupView> {
  let group = close === true ? await groups.close(id, { signal }) : await groups.get(id, { signal });
  const progress = new Progress(context, { what: 'ended', total: null, ...(quiet === true ? { quiet } : {}) });
  try {
    show(progress, group);
    while (group.state !== 'finished' && performance.now() < endsAt) {
      const timeoutMs = Math.min(LOOK_MS, Math.max(0, endsAt - performance.now()));
      group = await groups.wait(id, { timeoutMs, signal });
      show(progress, group);
    }
  } finally {
    progress.stop();
  }
  return group;
}

function show(progress: Progress, group: GroupView): void {
  const total = totalOf(group);
  progress.set(total - unfinishedOf(group), { total, detail: countsText((state) => group.counts[state]) });
}

function totalOf({ counts }: GroupView): number {
  return JOB_STATES.reduce((sum, state) => sum + counts[state], 0);
}

function unfinishedOf({ counts }: GroupView): number {
  return counts.waiting + counts.queued + counts.assigned + counts.running;
}
