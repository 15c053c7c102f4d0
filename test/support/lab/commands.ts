import { execFileSync } from 'node:child_process';

/** Runs a command of the system to its end and gives what it wrote. @throws Error with what it said */
export function run(program: string, ...args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const said = (error as { readonly stderr?: string }).stderr ?? '';
    throw new Error(`${program} ${args.join(' ')}: ${said.trim()}`, { cause: error });
  }
}

/** For taking down: what is gone already needs nothing. */
export function tryToRun(program: string, ...args: readonly string[]): string {
  try {
    return run(program, ...args);
  } catch {
    return '';
  }
}
