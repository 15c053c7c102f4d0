import type { CommandContext } from './command-context.ts';
import { formatDuration } from './format.ts';
import type { Output } from './output.ts';
import { RateWindow } from './rate-window.ts';
import { cut, widthOf } from './text-width.ts';

export interface ProgressOptions {
  /** What becomes of the things that are counted, as "ended". */
  readonly what: string;
  /** Null when it is not known how much comes. */
  readonly total: number | null;
  /** Nothing is shown. */
  readonly quiet?: true;
}

/** Time as a progress needs it. */
export interface Ticker {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Returns what ends it. */
  every(ms: number, action: () => void): () => void;
}

const TICKER: Ticker = {
  now: () => performance.now(),
  every(ms, action) {
    const timer = setInterval(action, ms).unref();
    return () => clearInterval(timer);
  },
};

const FRAME_MS = 100;
/** Between lines where there is no terminal: few enough for a log that is kept. */
const LINE_MS = 10_000;
const RATE_MS = 10_000;
const BAR_WIDTH = { min: 8, max: 24 } as const;
const CLEAR = '\r\u001b[K';

/**
 * How far something is: a bar on a terminal, a line now and then elsewhere, to standard error. Other lines go through
 * `line`, so that they stand above the bar.
 */
export class Progress {
  readonly #stderr: Output;
  readonly #options: ProgressOptions;
  readonly #ticker: Ticker;
  readonly #rate = new RateWindow(RATE_MS);
  readonly #startedAt: number;
  readonly #stopTicking: () => void;
  #done = 0;
  #total: number | null;
  #detail = '';
  #isShown = false;

  constructor({ stderr }: Pick<CommandContext, 'stderr'>, options: ProgressOptions, ticker: Ticker = TICKER) {
    this.#stderr = stderr;
    this.#options = options;
    this.#ticker = ticker;
    this.#total = options.total;
    this.#startedAt = ticker.now();
    this.#rate.add(0, this.#startedAt);
    this.#stopTicking =
      options.quiet === true
        ? () => undefined
        : stderr.isTerminal
          ? ticker.every(FRAME_MS, () => this.#draw())
          : ticker.every(LINE_MS, () => void stderr.line(`quorate: ${this.#describe()}`).catch(() => undefined));
  }

  /** @param detail what else there is to tell, as counts by state */
  set(
    done: number,
    { total = this.#total, detail = this.#detail }: { total?: number | null; detail?: string } = {},
  ): void {
    this.#done = done;
    this.#total = total;
    this.#detail = detail;
  }

  /** A line of text to an output, above the bar where both are on a terminal. */
  async line(output: Output, text: string): Promise<void> {
    this.clear();
    await output.line(text);
  }

  stop(): void {
    this.#stopTicking();
    this.clear();
  }

  #draw(): void {
    const columns = Math.max(1, (this.#stderr.columns ?? 80) - 1);
    const text = this.#describe();
    const width = Math.min(BAR_WIDTH.max, columns - widthOf(text) - '[] '.length);
    const bar = this.#total === null || width < BAR_WIDTH.min ? '' : `[${barOf(this.#done / this.#total, width)}] `;
    this.#isShown = true;
    void this.#stderr.write(CLEAR + cut(bar + text, columns)).catch(() => undefined);
  }

  /** Takes the bar away until it is drawn again. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    void this.#stderr.write(CLEAR).catch(() => undefined);
  }

  #describe(): string {
    const now = this.#ticker.now();
    const rate = this.#rate.add(this.#done, now);
    const { what } = this.#options;
    const of = this.#total === null ? '' : `/${this.#total}`;
    const parts = [
      `${this.#done}${of} ${what}`,
      this.#detail,
      rate === null ? '' : `${rate.toFixed(1)}/s`,
      this.#timeLeft(rate) ?? `for ${formatDuration(now - this.#startedAt)}`,
    ];
    return parts.filter((part) => part !== '').join(', ');
  }

  /** As the last seconds went; null where that cannot be told. */
  #timeLeft(rate: number | null): string | null {
    if (this.#total === null || rate === null || rate <= 0) return null;
    return `${formatDuration(Math.ceil(Math.max(0, this.#total - this.#done) / rate) * 1000)} left`;
  }
}

/** @param part not a number where nothing is counted: all of nothing */
function barOf(part: number, width: number): string {
  const full = Math.round(Math.min(1, Number.isNaN(part) ? 1 : part) * width);
  return '#'.repeat(full) + '-'.repeat(width - full);
}
