import type { QueueLimitsView, QueueView } from '../../src/api/views.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import type { QueueLimitsRequest, QueueRequest } from '../../src/client/queues-client.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatCount, formatSize } from './format.ts';
import type { ConnectionOptions } from './options.ts';
import { fields } from './table.ts';
import { tellPage } from './tell-page.ts';
import { UsageError } from './usage-error.ts';

type Operand = readonly [name: string];

const LIST_HEADING = ['QUEUE', 'STATE', 'WEIGHT', 'QUEUED', 'RUNNING', 'SHARE', 'STRATEGY', 'LIMITS'];

export interface QueueListOptions extends ConnectionOptions {
  readonly limit?: number;
}

export async function queueList(
  context: CommandContext,
  _operands: readonly [],
  { limit = 100, ...options }: QueueListOptions,
): Promise<number> {
  const page = await connect(context, options).queues.list({ limit });
  return tellPage(context, options, page, { heading: LIST_HEADING, rowOf });
}

export function queueShow(context: CommandContext, [name]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.queues.get(name));
}

export function queuePause(context: CommandContext, [name]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.queues.set(name, { paused: true }));
}

export function queueResume(context: CommandContext, [name]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.queues.set(name, { paused: false }));
}

export function queueReset(context: CommandContext, [name]: Operand, options: ConnectionOptions): Promise<number> {
  return show(context, options, (client) => client.queues.reset(name));
}

export interface QueueSetOptions extends ConnectionOptions {
  readonly weight?: number;
  readonly strategy?: 'spread' | 'pack';
  readonly preemption?: 'off' | 'requeue';
  readonly maxRunning?: number | 'none';
  readonly maxCpu?: number | 'none';
  readonly maxMemory?: string;
  readonly projectMaxRunning?: number | 'none';
  readonly projectMaxCpu?: number | 'none';
  readonly projectMaxMemory?: string;
}

export function queueSet(context: CommandContext, [name]: Operand, options: QueueSetOptions): Promise<number> {
  const { weight, strategy, preemption } = options;
  const limits = limitsOf(options.maxRunning, options.maxCpu, options.maxMemory);
  const projectLimits = limitsOf(options.projectMaxRunning, options.projectMaxCpu, options.projectMaxMemory);
  const request: QueueRequest = {
    ...(weight === undefined ? {} : { weight }),
    ...(strategy === undefined ? {} : { strategy }),
    ...(preemption === undefined ? {} : { preemption }),
    ...(limits === null ? {} : { limits }),
    ...(projectLimits === null ? {} : { projectLimits }),
  };
  if (Object.keys(request).length === 0)
    throw new UsageError('nothing to set', 'see what there is: quorate queues set --help');
  return show(context, options, (client) => client.queues.set(name, request));
}

function limitsOf(
  running: number | 'none' | undefined,
  cpu: number | 'none' | undefined,
  memory: string | undefined,
): QueueLimitsRequest | null {
  const limits: QueueLimitsRequest = {
    ...(running === undefined ? {} : { running: liftedByNone(running) }),
    ...(cpu === undefined ? {} : { cpu: liftedByNone(cpu) }),
    ...(memory === undefined ? {} : { memory: liftedByNone(memory) }),
  };
  return Object.keys(limits).length === 0 ? null : limits;
}

function liftedByNone<Value>(value: Value | 'none'): Value | null {
  return value === 'none' ? null : value;
}

async function show(
  context: CommandContext,
  options: ConnectionOptions,
  ask: (client: QuorateClient) => Promise<QueueView>,
): Promise<number> {
  const queue = await ask(connect(context, options));
  await (options.json === true ? context.stdout.json(queue) : context.stdout.line(describeQueue(queue)));
  return EXIT.done;
}

function describeQueue(queue: QueueView): string {
  const projects = queue.projects.map(
    ({ project, queued, running, share }) =>
      `${project}: ${queued} queued, ${running} running, ${formatShare(share)} of the cluster`,
  );
  return fields([
    ['queue', queue.name],
    ['state', queue.paused ? 'paused' : 'open'],
    ['weight', String(queue.weight)],
    ['strategy', queue.strategy],
    ['preemption', queue.preemption],
    ['jobs', `${queue.queued} queued, ${queue.running} running, ${formatShare(queue.share)} of the cluster`],
    ['limits', formatLimits(queue.limits) || 'none'],
    ['per project', formatLimits(queue.projectLimits) || 'none'],
    ['set', queue.index === null ? 'nothing: all is as by default' : null],
    ...projects.map((text): [string, string] => ['project', text]),
  ]);
}

function rowOf(queue: QueueView): readonly string[] {
  const { name, paused, weight, queued, running, share, strategy, limits, projectLimits } = queue;
  const own = formatLimits(limits);
  const ofProjects = formatLimits(projectLimits);
  return [
    name,
    paused ? 'paused' : 'open',
    String(weight),
    String(queued),
    String(running),
    formatShare(share),
    strategy,
    [own, ofProjects === '' ? '' : `each project ${ofProjects}`].filter((text) => text !== '').join('; '),
  ];
}

function formatLimits({ running, cpu, memory }: QueueLimitsView): string {
  const told = [
    running === null ? '' : formatCount(running, 'job'),
    cpu === null ? '' : formatCount(cpu, 'processor'),
    memory === null ? '' : formatSize(memory),
  ];
  return told.filter((text) => text !== '').join(', ');
}

function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
