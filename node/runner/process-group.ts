import { assert } from '../../src/errors.ts';

/** Sends a signal to every process of a group; that there is none left, or none of ours, is as good. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  assert(Number.isSafeInteger(group) && group > 1, 'groups 0 and 1 and all below would hit others than the job');
  try {
    process.kill(-group, signal);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
