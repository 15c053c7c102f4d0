import { execFile } from 'node:child_process';
import { cleanEnvironment, QUORATE } from './node-process.ts';

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `scripts/quorate` to its end; a code other than 0 is a result, not an error. */
export function runQuorate(
  args: readonly string[],
  { env = {}, stdin = '' }: { readonly env?: Readonly<Record<string, string>>; readonly stdin?: string } = {},
): Promise<CommandResult> {
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  const child = execFile(
    QUORATE,
    args,
    { env: cleanEnvironment(env), timeout: 120_000, maxBuffer: 64 * 1024 * 1024 },
    (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
  );
  child.stdin?.end(stdin);
  return promise;
}
