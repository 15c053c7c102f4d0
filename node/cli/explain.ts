import type { ExplanationView } from '../../src/api/views.ts';
import { unreachable } from '../../src/errors.ts';
import type { CommandContext } from './command-context.ts';
import { describeWait } from './describe-wait.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatCount, formatSize } from './format.ts';
import type { ConnectionOptions } from './options.ts';
import { plain } from './plain-text.ts';

export async function explain(
  context: CommandContext,
  [id]: readonly [id: string],
  options: ConnectionOptions,
): Promise<number> {
  const explanation = await connect(context, options).jobs.explain(id);
  if (options.json === true) await context.stdout.json(explanation);
  else for (const line of describeExplanation(explanation)) await context.stdout.line(plain(line));
  return EXIT.done;
}

export function describeExplanation(explanation: ExplanationView): readonly string[] {
  switch (explanation.state) {
    case 'waiting':
      return [`waiting ${describeWait(explanation)}${describeTurn(explanation)}`];
    case 'queued':
      return describeQueued(explanation);
    case 'assigned':
    case 'running':
      return describeLive(explanation);
    default:
      return [`${explanation.state}${explanation.reason === null ? '' : `: ${explanation.reason}`}`];
  }
}

type Live = Extract<ExplanationView, { state: 'assigned' | 'running' }>;

function describeLive({ state, attempt, runner, makesRoomFor, preempted }: Live): readonly string[] {
  const head = `${state}: attempt ${attempt} at the runner ${runner}`;
  const making =
    makesRoomFor === null
      ? []
      : [
          `  being stopped since ${makesRoomFor.since} to make room for the job ${makesRoomFor.job} of priority ${makesRoomFor.priority}`,
        ];
  return [head, ...making, ...describePreempted(preempted)];
}

function describePreempted({ times, most }: Live['preempted']): readonly string[] {
  return times === 0 ? [] : [`  made room for others ${times} of at most ${most} times`];
}

type Queued = Extract<ExplanationView, { state: 'queued' }>;
type Reason = Queued['reasons'][number];

function describeTurn({ inside, ahead }: { readonly inside?: number; readonly ahead?: number }): string {
  if (inside === undefined || ahead === undefined) return '';
  return `; ${formatCount(inside, 'job')} of it queued or running, ${ahead} whose turn comes before`;
}

function describeQueued({ ahead, runners, able, fitting, reasons, turn, ...rest }: Queued): readonly string[] {
  const head = `queued: ${formatCount(ahead, 'job')} before it; ${fitting} of ${formatCount(runners, 'runner')} could take it now`;
  const inVain = able > 0 || runners === 0 ? [] : ['  no runner of the cluster could ever hold it'];
  return [
    head,
    ...inVain,
    ...reasons.map((reason) => `  ${describeReason(reason)}`),
    ...describeClaim(rest.claim),
    ...describeLower(rest.lower),
    ...describePreempted(rest.preempted),
    `  ${describeTurnOf(turn)}`,
  ];
}

function describeClaim(claim: Queued['claim']): readonly string[] {
  if (claim === null) return [];
  return [
    `  room is being made for it at the runner ${claim.runner} since ${claim.since}: ${formatCount(claim.stopping, 'attempt')} still to end`,
  ];
}

function describeLower({ preemptible, spared }: Queued['lower']): readonly string[] {
  const { queue, retryNever, preemptions, ending } = spared;
  const all = preemptible + queue + retryNever + preemptions + ending;
  if (all === 0) return [];
  const told = [
    `${preemptible} may be stopped for it`,
    queue === 0 ? '' : `${queue} of queues without preemption`,
    retryNever === 0 ? '' : `${retryNever} that may run once only`,
    preemptions === 0 ? '' : `${preemptions} that made room often enough`,
    ending === 0 ? '' : `${ending} being stopped already`,
  ];
  return [`  ${formatCount(all, 'attempt')} of lower priority: ${told.filter((text) => text !== '').join(', ')}`];
}

function describeTurnOf({ queue, weight, queueShare, project, projectShare }: Queued['turn']): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
  return `the queue ${queue} (weight ${weight}) holds ${percent(queueShare)} of the cluster, the project ${project} in it ${percent(projectShare)}`;
}

function describeReason(reason: Reason): string {
  switch (reason.kind) {
    case 'paused':
      return `the queue ${reason.queue} is paused`;
    case 'limit': {
      const of = amountsOf(reason.limit);
      return `the ${reason.of} ${reason.name} has ${of.format(reason.used)} of at most ${of.format(reason.most)} ${of.name} in use, and the job asks for ${of.format(reason.wanted)}`;
    }
    default:
      return `${formatCount(reason.runners, 'runner')} ${describeKept(reason)}`;
  }
}

function describeKept(reason: Exclude<Reason, { readonly kind: 'paused' | 'limit' }>): string {
  switch (reason.kind) {
    case 'lost':
      return 'lost';
    case 'draining':
      return 'draining: given no further jobs';
    case 'attempts':
      return 'with as many attempts as one may hold';
    case 'parents':
      return 'full of jobs whose children are not final: if they wait for them, nothing goes on; see docs/fan-out.md';
    case 'constraint':
      return `without "${reason.constraint}"`;
    case 'resource': {
      const of = amountsOf(reason.resource);
      return `without the ${of.name}: it asks for ${of.format(reason.wanted)}, the most that is free at one is ${of.format(reason.mostFree)} of ${of.format(reason.mostTotal)}`;
    }
    default:
      return unreachable(reason);
  }
}

/** Amounts come in the units in which they are kept. */
function amountsOf(resource: string): { readonly name: string; readonly format: (amount: number) => string } {
  switch (resource) {
    case 'running':
      return { name: 'jobs', format: String };
    case 'memoryBytes':
      return { name: 'memory', format: formatSize };
    case 'diskBytes':
      return { name: 'disk', format: formatSize };
    case 'gpu':
      return { name: 'GPUs', format: String };
    case 'cpuMilli':
      return { name: 'processors', format: (milli) => String(milli / 1000) };
    default:
      return { name: resource, format: (milli) => String(milli / 1000) };
  }
}
