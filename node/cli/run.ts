import type { JobView } from '../../src/api/views.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import { ApiError } from '../../src/client/client-error.ts';
import { unreachable } from '../../src/errors.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import type { CommandContext, StopSignal } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { describeExplanation } from './explain.ts';
import { filesFromFlags, withFiles } from './files-from-flags.ts';
import { describeEnd, exitCodeOfJob, exitCodeOfSignal } from './job-exit.ts';
import type { ConnectionOptions, FileOptions, SpecOptions } from './options.ts';
import { plain } from './plain-text.ts';
import { specFromFlags } from './spec-from-flags.ts';
import { type ErrorFormat, errorFormat, tell, tellError } from './tell-error.ts';

export interface RunOptions extends ConnectionOptions, SpecOptions, FileOptions {
  readonly detach?: true;
}

/** When a person at a terminal is told why nothing has come yet. */
const HINT_AFTER_MS = 5_000;

/** @param hintAfterMs for tests */
export async function run(
  context: CommandContext,
  [command]: readonly [command: readonly string[]],
  options: RunOptions,
  hintAfterMs: number = HINT_AFTER_MS,
): Promise<number> {
  const client = connect(context, options);
  const flags = await specFromFlags(context, command, options);
  const spec = withFiles(flags, await filesFromFlags(context, client, options)) as JobSpec;
  if (options.detach === true) {
    const job = await client.jobs.submit(spec);
    await (options.json === true ? context.stdout.json(job) : context.stdout.line(job.id));
    return EXIT.done;
  }
  return new Attended(context, client, options, hintAfterMs).run(spec);
}

/** A job that somebody watches: its output comes here, and interrupts go to it. */
class Attended {
  readonly #context: CommandContext;
  readonly #client: QuorateClient;
  readonly #options: RunOptions;
  readonly #format: ErrorFormat;
  readonly #leave = new AbortController();
  #id: string | null = null;
  readonly #hintAfterMs: number;
  /** SIGPIPE: nobody reads its output any more. */
  #interruptedBy: StopSignal | 'SIGPIPE' | null = null;

  constructor(context: CommandContext, client: QuorateClient, options: RunOptions, hintAfterMs: number) {
    this.#context = context;
    this.#client = client;
    this.#options = options;
    this.#hintAfterMs = hintAfterMs;
    this.#format = errorFormat(options);
  }

  async run(spec: JobSpec): Promise<number> {
    const stopListening = this.#context.onSignal((signal) => this.#interrupted(signal));
    try {
      const job = await this.#toItsEnd(spec);
      await this.#tellEnd(job);
      if (job.state === 'cancelled' && this.#interruptedBy !== null) return codeOf(this.#interruptedBy);
      return exitCodeOfJob(job);
    } catch (error) {
      if (!this.#leave.signal.aborted) throw error;
      await this.#tellLeft();
      return codeOf(this.#interruptedBy ?? 'SIGINT');
    } finally {
      stopListening();
    }
  }

  async #toItsEnd(spec: JobSpec): Promise<JobView> {
    const { signal } = this.#leave;
    const { id } = await this.#client.jobs.submit(spec, { signal });
    this.#id = id;
    if (this.#interruptedBy !== null) void this.#cancel(id);
    const stopHint = this.#hintWhenItWaits(id);
    try {
      if (this.#options.json !== true) await this.#showOutput(id);
      return await this.#client.jobs.wait(id, { signal });
    } finally {
      stopHint();
    }
  }

  /** A person at a terminal is told once why it has not started. Returns what undoes it. */
  #hintWhenItWaits(id: string): () => void {
    const { stderr } = this.#context;
    if (!stderr.isTerminal || this.#options.json === true) return () => undefined;
    const hint = async (): Promise<void> => {
      const explanation = await this.#client.jobs.explain(id, { signal: this.#leave.signal });
      if (explanation.state !== 'waiting' && explanation.state !== 'queued') return;
      const [what = '', ...reasons] = describeExplanation(explanation).map(plain);
      await stderr.line([`quorate: not started yet, ${what}`, ...reasons].join('\n'));
      await stderr.line(`  next: wait, or ctrl-C to cancel it; again: quorate explain ${id}`);
    };
    // Only a hint: whatever is wrong is told by what waits for the job.
    const timer = setTimeout(() => void hint().catch(() => undefined), this.#hintAfterMs);
    return () => clearTimeout(timer);
  }

  /** The output is not the job: when it cannot be had, the end is still waited for. */
  async #showOutput(id: string): Promise<void> {
    const { stdout, stderr } = this.#context;
    try {
      for await (const chunk of this.#client.jobs.logs(id, { follow: true, signal: this.#leave.signal })) {
        await (chunk.stream === 'stdout' ? stdout : stderr).write(chunk.data);
        if (stdout.closed && this.#interruptedBy === null) this.#interrupted('SIGPIPE');
      }
    } catch (error) {
      if (this.#leave.signal.aborted || !(error instanceof ApiError)) throw error;
      await tellError(stderr, error, { format: this.#format, command: 'run' });
    }
  }

  /** The first one cancels the job, the second one leaves it alone. */
  #interrupted(signal: StopSignal | 'SIGPIPE'): void {
    if (this.#interruptedBy !== null) {
      this.#leave.abort(new Error('interrupted twice'));
      return;
    }
    this.#interruptedBy = signal;
    if (this.#id !== null) void this.#cancel(this.#id);
  }

  async #cancel(id: string): Promise<void> {
    const { stderr } = this.#context;
    if (stderr.isTerminal) await stderr.line(`quorate: cancelling ${id}; again to leave at once`);
    try {
      await this.#client.jobs.cancel(id, { signal: this.#leave.signal });
    } catch (error) {
      if (this.#leave.signal.aborted || (error instanceof ApiError && error.code === 'alreadyFinal')) return;
      await tellError(stderr, error, { format: this.#format, command: 'run' });
    }
  }

  async #tellEnd(job: JobView): Promise<void> {
    const { stdout, stderr } = this.#context;
    if (this.#options.json === true) return stdout.json(job);
    switch (job.state) {
      case 'succeeded':
        return;
      case 'failed':
        // A code of its own says it all.
        if (job.exitCode !== null && job.reason === null) return;
        break;
      case 'timedOut':
      case 'cancelled':
      case 'lost':
      case 'expired':
        break;
      case 'waiting':
      case 'queued':
      case 'assigned':
      case 'running':
        return;
      default:
        unreachable(job.state);
    }
    await stderr.line(`quorate: job ${job.id} ${plain(describeEnd(job))}`);
  }

  async #tellLeft(): Promise<void> {
    const { stderr } = this.#context;
    const told =
      this.#id === null
        ? { what: 'left before the answer; the job may have been taken', next: 'quorate jobs' }
        : {
            what: `left job ${this.#id}, which may still run`,
            next: `quorate status ${this.#id}, quorate logs -f ${this.#id}, quorate cancel ${this.#id}`,
          };
    await tell(
      stderr,
      { ...told, code: 'interrupted', exitCode: codeOf(this.#interruptedBy ?? 'SIGINT') },
      this.#format,
    );
  }
}

function codeOf(signal: StopSignal | 'SIGPIPE'): number {
  return exitCodeOfSignal(signal) ?? EXIT.failed;
}
