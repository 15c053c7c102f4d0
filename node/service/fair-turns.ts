/**
 * Lets many go on by turns: at most `perTurn` of them within one turn of the event loop, in the order in which they
 * came, so that what else waits for the loop never stands behind all of them.
 */
export class FairTurns {
  readonly #perTurn: number;
  #waiting: (() => void)[] = [];
  #left: number;
  #planned = false;

  constructor(options: { readonly perTurn: number }) {
    this.#perTurn = options.perTurn;
    this.#left = options.perTurn;
  }

  take(): Promise<void> {
    this.#plan();
    if (this.#left > 0) {
      this.#left -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#planned = false;
    const next = this.#waiting.splice(0, this.#perTurn);
    this.#left = this.#perTurn - next.length;
    for (const goOn of next) goOn();
    if (next.length > 0) this.#plan();
  }
}
