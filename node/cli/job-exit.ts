import { constants } from 'node:os';
import type { JobView } from '../../src/api/views.ts';
import { EXIT, SIGNAL_EXIT_BASE } from './exit-codes.ts';

/** What `run` ends with: the job's own code, 128 and more when a signal ended it, never 0 unless it succeeded. */
export function exitCodeOfJob(job: JobView): number {
  if (job.state === 'succeeded') return EXIT.done;
  if (job.exitCode !== null && job.exitCode !== 0) return job.exitCode;
  return exitCodeOfSignal(job.signal) ?? EXIT.failed;
}

export function exitCodeOfSignal(signal: string | null): number | null {
  const number = signal === null ? undefined : (constants.signals as Readonly<Record<string, number>>)[signal];
  return number === undefined ? null : SIGNAL_EXIT_BASE + number;
}

/** One sentence on how a job ended. */
export function describeEnd(job: JobView): string {
  const reason = job.reason === null ? '' : `: ${job.reason}`;
  if (job.signal !== null) return `${job.state} by ${job.signal}${reason}`;
  if (job.exitCode !== null && job.state !== 'succeeded') return `${job.state} with exit code ${job.exitCode}${reason}`;
  return `${job.state}${reason}`;
}
