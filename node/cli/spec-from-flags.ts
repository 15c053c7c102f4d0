import type { GroupId, JobId } from '../../src/ids.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import type { CommandContext } from './command-context.ts';
import type { SpecOptions } from './options.ts';
import { readText } from './read-input.ts';
import { UsageError } from './usage-error.ts';

/** The part of a spec that the flags tell; the node checks it. */
export async function specFromFlags(
  context: CommandContext,
  command: readonly string[],
  options: SpecOptions,
): Promise<Partial<JobSpec>> {
  const { name, project, queue, workdir, priority, timeout, queueTimeout, notBefore, retry, constraint } = options;
  const { cpu, memory, gpu, idleTimeout, retention } = options;
  const resources = without({ cpu, memory, gpu });
  return without({
    command: command.length === 0 ? undefined : [...command],
    name,
    project,
    queue,
    workdir,
    priority,
    timeout,
    idleTimeout,
    queueTimeout,
    retention,
    notBefore,
    labels: options.label === undefined ? undefined : pairs('--label', options.label, () => undefined),
    env: options.env === undefined ? undefined : pairs('--env', options.env, (key) => context.env[key]),
    constraints: constraint === undefined ? undefined : [...constraint],
    stdin: options.stdin === undefined ? undefined : await readText(options.stdin, context.stdin, 'specBytes'),
    resources: Object.keys(resources).length === 0 ? undefined : resources,
    retry: typeof retry === 'number' ? { max: retry } : retry,
    dependsOn: options.after?.map(dependencyOf),
    group: options.group as GroupId | undefined,
    resourceGroup: options.resourceGroup,
    infeasible: options.refuseInfeasible === true ? 'refuse' : undefined,
  });
}

/** `ID` or `ID:on`. */
function dependencyOf(text: string): NonNullable<JobSpec['dependsOn']>[number] {
  const [job = '', on] = text.split(':', 2);
  const dependency = { job: job as JobId };
  return on === undefined ? dependency : { ...dependency, on: on as 'finished' };
}

/** `K=V` each; of `K` alone the value is looked up. @throws UsageError */
export function pairs(
  flag: string,
  texts: readonly string[],
  lookUp: (key: string) => string | undefined,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const text of texts) {
    const at = text.indexOf('=');
    const key = at === -1 ? text : text.slice(0, at);
    const value = at === -1 ? lookUp(key) : text.slice(at + 1);
    if (key === '' || value === undefined) throw new UsageError(`${flag} must be NAME=VALUE, not ${text}`);
    found[key] = value;
  }
  return found;
}

type Given<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

function without<Fields extends object>(all: Fields): Given<Fields> {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Given<Fields>;
}
