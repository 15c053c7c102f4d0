import type { CommandContext, StopSignal } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import { exitCodeOfSignal } from './job-exit.ts';

/**
 * Does work that may be left at any time: the first signal aborts it and what then remains is told, the second ends the
 * program at once. The exit code of what was left is that of the signal.
 * @param tellLeft what goes on, and how to go on with it; gives the exit code
 */
export async function untilInterrupted(
  context: CommandContext,
  work: (signal: AbortSignal) => Promise<number>,
  tellLeft: (exitCode: number) => Promise<number>,
): Promise<number> {
  const leave = new AbortController();
  const interrupted: { by: StopSignal | null } = { by: null };
  const stopListening = context.onSignal((signal) => {
    if (interrupted.by !== null) process.exit(codeOf(signal));
    interrupted.by = signal;
    leave.abort(new DOMException('interrupted', 'AbortError'));
  });
  try {
    const code = await work(leave.signal);
    if (interrupted.by === null) return code;
  } catch (error) {
    if (interrupted.by === null) throw error;
  } finally {
    stopListening();
  }
  return tellLeft(codeOf(interrupted.by));
}

function codeOf(signal: StopSignal): number {
  return exitCodeOfSignal(signal) ?? EXIT.failed;
}
