import { EVENT_KINDS, type EventKind, type EventView, type JobEventView } from '../../src/api/event-view.ts';
import type { EventOptions } from '../../src/client/follow-events.ts';
import type { JobState } from '../../src/jobs/job.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import type { ConnectionOptions } from './options.ts';
import { plain } from './plain-text.ts';
import { pairs } from './spec-from-flags.ts';

export interface EventsOptions extends ConnectionOptions {
  readonly kind?: readonly EventKind[];
  readonly state?: readonly JobState[];
  readonly job?: string;
  readonly project?: string;
  readonly queue?: string;
  readonly group?: string;
  readonly parent?: string;
  readonly label?: readonly string[];
  readonly after?: string;
}

const KIND_WIDTH = Math.max(...EVENT_KINDS.map((kind) => kind.length));

/** Follows the changes until it is interrupted, one in a line; with --json each as the API tells it. */
export async function events(context: CommandContext, _operands: readonly [], options: EventsOptions): Promise<number> {
  const { stdout, stderr } = context;
  const stopped = new AbortController();
  const offSignal = context.onSignal(() => stopped.abort());
  try {
    for await (const item of connect(context, options).events.follow({ ...wanted(options), signal: stopped.signal })) {
      if (options.json === true) await stdout.json(item.kind === 'event' ? item.event : { kind: 'gap', ...item.gap });
      else if (item.kind === 'event') await stdout.line(lineOf(item.event));
      else await stderr.line(`events after ${item.gap.after} up to ${item.gap.resumed} are not remembered any more`);
      if (stdout.closed) break;
    }
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
  } finally {
    offSignal();
  }
  return EXIT.done;
}

function wanted({ kind, state, label, job, project, queue, group, parent, after }: EventsOptions): EventOptions {
  return {
    ...(kind === undefined ? {} : { kinds: kind }),
    ...(state === undefined ? {} : { states: state }),
    ...(label === undefined ? {} : { labels: pairs('--label', label, () => undefined) }),
    ...(job === undefined ? {} : { job }),
    ...(project === undefined ? {} : { project }),
    ...(queue === undefined ? {} : { queue }),
    ...(group === undefined ? {} : { group }),
    ...(parent === undefined ? {} : { parent }),
    ...(after === undefined ? {} : { after }),
  };
}

function lineOf(event: EventView): string {
  return plain(`${event.at}  ${event.kind.padEnd(KIND_WIDTH)}  ${event.subject}  ${whatOf(event)}`);
}

function whatOf(event: EventView): string {
  switch (event.kind) {
    case 'job':
      return event.job === null ? 'is not kept any longer' : describeJob(event.job);
    case 'group':
      return event.group === null ? 'is not kept any longer' : `${event.group.state} ${countsOf(event.group.counts)}`;
    case 'queue':
      return event.queue === null ? 'is as by default' : `weight ${event.queue.weight}${pausedOf(event.queue)}`;
    case 'runner':
      return event.runner === null ? 'is gone' : event.runner.state;
    case 'member':
      return event.member === null ? 'was removed' : `${event.member.http ?? 'no HTTP'} ${event.member.version}`;
  }
}

function describeJob({ state, before, attempt, runner, exitCode, signal, reason, name }: JobEventView): string {
  const parts = [before === null || before === state ? state : `${before} → ${state}`];
  if (attempt > 0) parts.push(`attempt ${attempt}`);
  if (state === 'assigned' && runner !== null) parts.push(`at ${runner}`);
  if (exitCode !== null && exitCode !== 0) parts.push(`exit code ${exitCode}`);
  if (signal !== null) parts.push(signal);
  if (reason !== null) parts.push(reason);
  if (name !== null) parts.push(`(${name})`);
  return parts.join(', ');
}

function countsOf(counts: Readonly<Record<JobState, number>>): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
}

function pausedOf({ paused }: { readonly paused: boolean }): string {
  return paused ? ', paused' : '';
}
