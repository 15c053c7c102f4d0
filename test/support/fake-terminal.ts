import { PassThrough } from 'node:stream';
import type { CommandContext, StopSignal } from '../../node/cli/command-context.ts';
import { Output } from '../../node/cli/output.ts';

/** A terminal that shows what is written to it, as far as this project's control sequences go. */
export class FakeTerminal extends PassThrough {
  readonly isTTY = true;
  columns: number;
  rows: number;
  /** All that was written. */
  written = '';
  screen: 'main' | 'other' = 'main';
  cursor: 'shown' | 'hidden' = 'shown';
  #lines: string[] = [''];
  #row = 0;
  #column = 0;

  constructor({ columns = 80, rows = 24 }: { readonly columns?: number; readonly rows?: number } = {}) {
    super();
    this.columns = columns;
    this.rows = rows;
    this.setEncoding('utf8').on('data', (text: string) => {
      this.written += text;
      // eslint-disable-next-line no-control-regex -- control sequences are what is looked for
      for (const part of text.match(/\u001b\[[?\d;]*[a-zA-Z]|[^\u001b]/gu) ?? []) this.#take(part);
    });
  }

  /** Without blanks at the ends of lines. */
  get lines(): readonly string[] {
    return this.#lines.map((line) => line.trimEnd());
  }

  resize(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    // Terminals put lines together anew, each in its own way.
    this.#lines = Array.from({ length: rows }, () => '?'.repeat(columns));
    this.emit('resize');
  }

  #take(part: string): void {
    if (part === '\n') [this.#row, this.#column] = [this.#row + 1, 0];
    else if (part === '\r') this.#column = 0;
    else if (part.startsWith('\u001b')) this.#control(part.slice(2));
    else {
      this.#put(part);
      this.#column += 1;
    }
  }

  #control(sequence: string): void {
    const [row = '1', column = '1'] = sequence.slice(0, -1).split(';');
    if (sequence === '?1049h' || sequence === '?1049l') this.screen = sequence.endsWith('h') ? 'other' : 'main';
    else if (sequence === '?25l' || sequence === '?25h') this.cursor = sequence.endsWith('h') ? 'shown' : 'hidden';
    else if (sequence === '2J') this.#lines = [];
    else if (sequence === 'J') this.#lines.length = Math.min(this.#lines.length, this.#row);
    else if (sequence === 'K') this.#lines[this.#row] = (this.#lines[this.#row] ?? '').slice(0, this.#column);
    else if (sequence.endsWith('H')) [this.#row, this.#column] = [Number(row) - 1, Number(column) - 1];
    else if (!sequence.endsWith('m') && !sequence.startsWith('?2026')) throw new Error(`unknown sequence ${sequence}`);
  }

  #put(character: string): void {
    if (this.#row >= this.rows || this.#column >= this.columns) throw new Error('written beyond the edge');
    const line = (this.#lines[this.#row] ?? '').padEnd(this.#column);
    this.#lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
  }
}

/** Keys come as a terminal in raw mode sends them. */
export class FakeKeyboard extends PassThrough {
  readonly isTTY = true;
  isRaw = false;

  setRawMode(mode: boolean): void {
    this.isRaw = mode;
  }
}

export interface FakeContext extends CommandContext {
  readonly terminal: FakeTerminal;
  readonly keyboard: FakeKeyboard;
  signal(signal: StopSignal): void;
  /** As at the end of the process. */
  exit(): void;
}

/** A person at a terminal. */
export function fakeContext(
  env: Readonly<Record<string, string>> = {},
  terminal: FakeTerminal = new FakeTerminal(),
): FakeContext {
  const keyboard = new FakeKeyboard();
  const onSignal = new Set<(signal: StopSignal) => void>();
  const onExit = new Set<() => void>();
  const output = new Output(terminal);
  return {
    env,
    terminal,
    keyboard,
    stdin: keyboard,
    stdout: output,
    stderr: output,
    onSignal(listener) {
      onSignal.add(listener);
      return () => void onSignal.delete(listener);
    },
    onExit(listener) {
      onExit.add(listener);
      return () => void onExit.delete(listener);
    },
    signal: (signal) => onSignal.forEach((listener) => listener(signal)),
    exit: () => onExit.forEach((listener) => listener()),
  };
}
