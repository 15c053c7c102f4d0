import type { Outcome, Timestamp } from '../../src/jobs/job.ts';
import type { Launcher, LaunchRequest, ProcessExit } from './launcher.ts';
import { signalGroup } from './process-group.ts';

/** Why a job is ended from outside. */
export interface EndCause {
  readonly outcome: Extract<Outcome, 'timedOut' | 'cancelled' | 'lost'>;
  readonly reason: string | null;
}

export type ProcessResult =
  | {
      readonly kind: 'exited';
      readonly startedAt: Timestamp;
      readonly exit: ProcessExit;
      readonly cause: EndCause | null;
    }
  | { readonly kind: 'failed'; readonly code: string };

export interface JobProcess {
  /** Null when it could not be started; the result tells why. */
  readonly pid: number | null;
  readonly startedAt: Timestamp;
  /** TERM to its group, KILL after the grace time. The first cause counts; a later call can only shorten the grace. */
  end(cause: EndCause, graceMs: number): void;
}

/** setTimeout fires at once for anything longer. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export function startProcess(
  { launcher }: { readonly launcher: Launcher },
  request: LaunchRequest,
  limits: { readonly timeoutMs: number | null; readonly graceMs: number },
  done: (result: ProcessResult) => void,
): JobProcess {
  const startedAt = Date.now();
  let cause: EndCause | null = null;
  let over = false;
  let timeout: NodeJS.Timeout | null = null;
  let kill: NodeJS.Timeout | null = null;
  let killAt = Infinity;

  function finish(result: ProcessResult): void {
    over = true;
    if (timeout !== null) clearTimeout(timeout);
    if (kill !== null) clearTimeout(kill);
    done(result);
  }

  const pid = launcher.launch(request, {
    failed: (code) => finish({ kind: 'failed', code }),
    exited: (exit) => finish({ kind: 'exited', startedAt, exit, cause }),
  });

  function end(why: EndCause, graceMs: number): void {
    if (over || pid === null) return;
    if (cause === null) {
      cause = why;
      signalGroup(pid, 'SIGTERM');
      // A stopped process takes TERM only once it goes on.
      signalGroup(pid, 'SIGCONT');
    }
    const at = performance.now() + graceMs;
    if (at >= killAt) return;
    killAt = at;
    if (kill !== null) clearTimeout(kill);
    kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs);
  }

  function armTimeout(remainingMs: number): void {
    const step = Math.min(remainingMs, TIMER_MAX_MS);
    timeout = setTimeout(() => {
      if (remainingMs > step) armTimeout(remainingMs - step);
      else
        end(
          { outcome: 'timedOut', reason: `it ran longer than its timeout of ${limits.timeoutMs} ms` },
          limits.graceMs,
        );
    }, step);
  }

  if (pid !== null && limits.timeoutMs !== null) armTimeout(limits.timeoutMs);
  return { pid, startedAt, end };
}
