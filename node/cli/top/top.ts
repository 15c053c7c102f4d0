import { isClientError, ApiError } from '../../../src/client/client-error.ts';
import type { CommandContext, StopSignal } from '../command-context.ts';
import { connect } from '../connect.ts';
import { durationOf } from '../duration-flag.ts';
import { EXIT } from '../exit-codes.ts';
import { exitCodeOfSignal } from '../job-exit.ts';
import type { ConnectionOptions } from '../options.ts';
import { plain } from '../plain-text.ts';
import { cut } from '../text-width.ts';
import { UsageError } from '../usage-error.ts';
import { type Line, renderFrame, type Sort } from './frame.ts';
import { Screen } from './screen.ts';
import { type Snapshot, SnapshotSource } from './snapshot.ts';

export interface TopOptions extends ConnectionOptions {
  readonly once?: true;
  readonly interval?: string;
}

const DEFAULT_INTERVAL = '1s';
const MIN_INTERVAL_MS = 100;
/** Where there is no terminal that has any. */
const PLAIN_COLUMNS = 120;
const SMALL_TERMINAL = { columns: 80, rows: 24 } as const;

export async function top(context: CommandContext, _operands: readonly [], options: TopOptions): Promise<number> {
  const intervalMs = durationOf('--interval', options.interval ?? DEFAULT_INTERVAL);
  if (intervalMs < MIN_INTERVAL_MS) throw new UsageError(`--interval must be at least ${MIN_INTERVAL_MS}ms`);
  if (!context.stdout.isTerminal && options.once !== true && options.json !== true) {
    throw new UsageError('standard output is no terminal', 'one frame as text: --once; a line for each moment: --json');
  }
  const view = new TopView(context, new SnapshotSource(connect(context, options)), intervalMs);
  if (options.once === true) return view.once(options.json === true ? 'json' : 'text');
  return options.json === true ? view.stream() : view.live();
}

/** What `top` shows, and what it was told by keys and signals. */
class TopView {
  readonly #context: CommandContext;
  readonly #source: SnapshotSource;
  readonly #intervalMs: number;
  readonly #over = new AbortController();
  #endedBy: StopSignal | null = null;
  #sort: Sort = 'busiest';
  #snapshot: Snapshot | null = null;
  /** Why what is shown is not of now. */
  #trouble: string | null = null;

  constructor(context: CommandContext, source: SnapshotSource, intervalMs: number) {
    this.#context = context;
    this.#source = source;
    this.#intervalMs = intervalMs;
  }

  /** Takes two, since rates are between them. */
  async once(format: 'text' | 'json'): Promise<number> {
    const { stdout } = this.#context;
    await this.#source.take(this.#over.signal);
    await pause(this.#intervalMs, this.#over.signal);
    const snapshot = await this.#source.take(this.#over.signal);
    const columns = stdout.columns ?? PLAIN_COLUMNS;
    if (format === 'json') await stdout.json(snapshot);
    else
      for (const { text } of renderFrame(snapshot, { columns, rows: null, sort: this.#sort })) await stdout.line(text);
    return EXIT.done;
  }

  async stream(): Promise<number> {
    return this.#untilStopped(async () => {
      const { stdout } = this.#context;
      while (!this.#over.signal.aborted && !stdout.closed) {
        await stdout.json(await this.#source.take(this.#over.signal));
        await pause(this.#intervalMs, this.#over.signal);
      }
    });
  }

  async live(): Promise<number> {
    return this.#untilStopped(async () => {
      // Before the screen is taken: what goes wrong from the start is told as of any command.
      this.#snapshot = await this.#source.take(this.#over.signal);
      const screen = new Screen(this.#context);
      const redraw = (): void => void screen.draw(this.#lines()).catch(() => this.#over.abort());
      try {
        await screen.open({ onKey: (key) => this.#pressed(key, redraw), onResize: redraw });
        while (!this.#over.signal.aborted) {
          await screen.draw(this.#lines());
          await pause(this.#intervalMs, this.#over.signal);
          await this.#refresh();
        }
      } finally {
        await screen.close();
      }
    });
  }

  async #untilStopped(work: () => Promise<void>): Promise<number> {
    const stopListening = this.#context.onSignal((signal) => {
      this.#endedBy = signal;
      this.#over.abort();
    });
    try {
      await work();
    } catch (error) {
      if (!this.#over.signal.aborted) throw error;
    } finally {
      stopListening();
    }
    return this.#endedBy === null ? EXIT.done : (exitCodeOfSignal(this.#endedBy) ?? EXIT.failed);
  }

  /** Nodes come and go; the last picture stays, with a word on how old it is. */
  async #refresh(): Promise<void> {
    if (this.#over.signal.aborted) return;
    try {
      this.#snapshot = await this.#source.take(this.#over.signal);
      this.#trouble = null;
    } catch (error) {
      const isPassing = error instanceof ApiError ? error.retryable : isClientError(error) || isTimeout(error);
      if (!isPassing || !(error instanceof Error)) throw error;
      this.#trouble = `as of ${this.#snapshot?.at ?? 'never'}: ${isTimeout(error) ? 'no answer in time' : error.message}`;
    }
  }

  #pressed(key: string, redraw: () => void): void {
    switch (key) {
      case 'q':
      case '\u0003':
        this.#over.abort();
        break;
      case 's':
        this.#sort = this.#sort === 'busiest' ? 'name' : 'busiest';
        redraw();
        break;
      default:
    }
  }

  #lines(): Line[] {
    const { stdout } = this.#context;
    const columns = stdout.columns ?? SMALL_TERMINAL.columns;
    const rows = stdout.rows ?? SMALL_TERMINAL.rows;
    if (this.#snapshot === null) return [];
    const frame = renderFrame(this.#snapshot, { columns, rows: Math.max(0, rows - 1), sort: this.#sort });
    while (frame.length < rows - 1) frame.push({ text: '', style: 'plain' });
    const keys = `q quit  s sort by ${this.#sort === 'busiest' ? 'name' : 'work'}`;
    const foot: Line =
      this.#trouble === null ? { text: keys, style: 'dim' } : { text: plain(this.#trouble), style: 'red' };
    return [...frame, { ...foot, text: cut(foot.text, columns) }];
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}

/** Ends early, and without an error, when it is over. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const wake = (): void => resolve();
  signal.addEventListener('abort', wake);
  if (signal.aborted) wake();
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', wake);
}
