import type { QuorateClient } from '../../src/client/client.ts';
import type { JobId } from '../../src/ids.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import type { CommandContext } from './command-context.ts';
import type { FileOptions } from './options.ts';
import { uploadFolder } from './upload-folder.ts';
import { UsageError } from './usage-error.ts';

type Files = Pick<JobSpec, 'inputs' | 'outputs' | 'dependsOn'>;

/** The part of a spec that tells the files of a job; a folder that is named is there when this resolves. */
export async function filesFromFlags(
  context: CommandContext,
  client: QuorateClient,
  { input, gitIgnore, outputsOf = [], output }: FileOptions,
): Promise<Files> {
  if (gitIgnore === true && input === undefined) throw new UsageError('--git-ignore says something of --input DIR');
  const rootDigest =
    input === undefined ? undefined : await uploadFolder(context, client, input, gitIgnore ? 'git' : 'nothing');
  const left = outputsOf.map(outputsOfOne);
  return {
    ...(rootDigest === undefined && left.length === 0
      ? {}
      : { inputs: { ...(rootDigest && { rootDigest }), ...(left.length > 0 && { outputsOf: left }) } }),
    ...(output === undefined ? {} : { outputs: [...output] }),
    ...(left.length === 0 ? {} : { dependsOn: left.map(({ job }) => ({ job })) }),
  };
}

/** With what a job waits for anyway. */
export function withFiles(spec: Partial<JobSpec>, { dependsOn = [], ...files }: Files): Partial<JobSpec> {
  const named = new Set(spec.dependsOn?.map(({ job }) => job));
  const more = dependsOn.filter(({ job }) => !named.has(job));
  const all = [...(spec.dependsOn ?? []), ...more];
  return { ...spec, ...files, ...(all.length === 0 ? {} : { dependsOn: all }) };
}

/** `ID` or `ID:PATH`. */
function outputsOfOne(text: string): { job: JobId; at?: string } {
  const at = text.indexOf(':');
  return at === -1 ? { job: text as JobId } : { job: text.slice(0, at) as JobId, at: text.slice(at + 1) };
}
