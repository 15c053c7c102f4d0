import { type AttemptView, isFinalView, type JobView } from '../../src/api/views.ts';
import { unreachable } from '../../src/errors.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { describeWait } from './describe-wait.ts';
import { EXIT } from './exit-codes.ts';
import { formatCommand, formatDuration, formatSize } from './format.ts';
import { describeEnd } from './job-exit.ts';
import type { ConnectionOptions } from './options.ts';
import { fields, table } from './table.ts';

export async function status(
  context: CommandContext,
  [id]: readonly [id: string],
  options: ConnectionOptions,
): Promise<number> {
  const job = await connect(context, options).jobs.get(id);
  await (options.json === true ? context.stdout.json(job) : context.stdout.line(describeJob(job, Date.now())));
  return EXIT.done;
}

export function describeJob(job: JobView, now: number): string {
  const { spec } = job;
  const head = fields([
    ['job', job.id],
    ['state', isFinalView(job) ? describeEnd(job) : job.state],
    ['why', whyNotEnded(job)],
    ['name', spec.name ?? null],
    ['command', formatCommand(spec.command)],
    ['project', job.project],
    ['queue', job.queue],
    ['schedule', job.schedule === null ? null : `${job.schedule.name}, ${job.schedule.due ?? 'by hand'}`],
    ['labels', pairsOf(spec.labels)],
    ['resources', spec.resources === undefined ? null : JSON.stringify(spec.resources)],
    ['constraints', spec.constraints === undefined ? null : spec.constraints.join(', ')],
    ['submitted', `${job.submittedAt} by ${job.submittedBy}, ${formatDuration(now - Date.parse(job.submittedAt))} ago`],
    ['ended', job.finalAt],
  ]);
  if (job.attempts.length === 0) return head;
  return `${head}\n\n${table(
    HEADING,
    job.attempts.map((attempt) => attemptRow(attempt, now)),
  )}`;
}

/** What a job that has not ended waits for. */
function whyNotEnded(job: JobView): string | null {
  switch (job.state) {
    case 'waiting':
      return job.waitsFor === null ? null : describeWait(job.waitsFor);
    case 'queued':
      return `no runner has been found yet (quorate explain ${job.id})`;
    case 'assigned':
      return job.reason ?? 'a runner has it and has not told its start yet';
    case 'running':
    case 'succeeded':
    case 'failed':
    case 'timedOut':
    case 'cancelled':
    case 'lost':
    case 'expired':
      return null;
    default:
      return unreachable(job.state);
  }
}

const HEADING = ['TRY', 'STATE', 'EXIT', 'STARTED', 'RAN', 'CPU', 'MEMORY', 'RUNNER', 'REASON'];

function attemptRow(attempt: AttemptView, now: number): readonly string[] {
  const { startedAt, endedAt, usage } = attempt;
  const end = endedAt === null ? now : Date.parse(endedAt);
  return [
    String(attempt.attempt),
    attempt.state,
    attempt.exitCode === null ? (attempt.signal ?? '') : String(attempt.exitCode),
    startedAt ?? '',
    startedAt === null ? '' : formatDuration(end - Date.parse(startedAt)),
    usage === null ? '' : formatDuration(usage.cpuUserMs + usage.cpuSystemMs),
    usage === null || usage.maxRssBytes === null ? '' : formatSize(usage.maxRssBytes),
    attempt.runner,
    attempt.reason ?? '',
  ];
}

function pairsOf(labels: Readonly<Record<string, string>> | undefined): string | null {
  if (labels === undefined) return null;
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
