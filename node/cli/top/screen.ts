import type { CommandContext } from '../command-context.ts';
import type { Line } from './frame.ts';

/** Xterm's control sequences: the other screen, the cursor, and a frame that is shown when it is whole. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[2J';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const BEGIN_FRAME = '\u001b[?2026h';
const END_FRAME = '\u001b[?2026l';
const CLEAR_BELOW = '\u001b[J';
const CLEAR_REST = '\u001b[K';

/** The whole of a terminal, given back as it was when it is closed or the process ends. */
export class Screen {
  readonly #context: CommandContext;
  readonly #undo: (() => void)[] = [];
  #shown: string[] = [];
  #isOpen = false;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  /** @param onKey told what each key sends */
  async open({ onKey, onResize }: { onKey: (key: string) => void; onResize: () => void }): Promise<void> {
    const { stdin, stdout, onExit } = this.#context;
    this.#isOpen = true;
    this.#undo.push(onExit(() => this.#giveBack()));
    this.#undo.push(
      stdout.onResize(() => {
        this.#shown = [];
        onResize();
      }),
    );
    if (stdin.isTTY === true) {
      const listener = (data: Buffer | string): void => onKey(String(data));
      stdin.setRawMode?.(true);
      stdin.on('data', listener);
      this.#undo.push(() => {
        stdin.off('data', listener);
        stdin.pause();
      });
    }
    await stdout.write(ENTER);
  }

  /** Writes only the lines that changed. */
  async draw(lines: readonly Line[]): Promise<void> {
    if (!this.#isOpen) return;
    const { stdout } = this.#context;
    const painted = lines.map(({ style, text }) => stdout.paint(style, text));
    const changed = painted.flatMap((text, row) =>
      text === this.#shown[row] ? [] : [`${at(row)}${text}${CLEAR_REST}`],
    );
    const isShorter = this.#shown.length > painted.length || this.#shown.length === 0;
    const below = isShorter ? `${at(painted.length)}${CLEAR_BELOW}` : '';
    this.#shown = painted;
    if (changed.length > 0 || isShorter) await stdout.write(BEGIN_FRAME + changed.join('') + below + END_FRAME);
  }

  async close(): Promise<void> {
    for (const undo of this.#undo.splice(0).toReversed()) undo();
    this.#giveBack();
    await this.#context.stdout.flush();
  }

  /** At once: there may be no later. */
  #giveBack(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { stdin, stdout } = this.#context;
    if (stdin.isTTY === true) stdin.setRawMode?.(false);
    void stdout.write(LEAVE).catch(() => undefined);
  }
}

function at(row: number): string {
  return `\u001b[${row + 1};1H`;
}
