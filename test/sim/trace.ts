/** What happened, as a number that tells two runs apart, and as text when somebody reads it. */
export class Trace {
  readonly #now: () => number;
  readonly #print: ((line: string) => void) | null;
  #low = 0x811c9dc5;
  #high = 0x9747b28c;

  constructor(now: () => number, print: ((line: string) => void) | null) {
    this.#now = now;
    this.#print = print;
  }

  get isRead(): boolean {
    return this.#print !== null;
  }

  /** Counts for the hash only: for what happens too often to be told in words. */
  mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193);
    this.#high = Math.imul((this.#high ^ value) + (this.#low >>> 15), 0x85ebca6b);
  }

  /** Counts for the hash with its time and its text. */
  note(text: string): void {
    const now = this.#now();
    this.mix(Math.round(now * 1000));
    for (let i = 0; i < text.length; i += 1) this.mix(text.charCodeAt(i));
    this.tell(text);
  }

  /** For readers only. */
  tell(text: string): void {
    this.#print?.(`${this.#now().toFixed(2).padStart(10)}  ${text}`);
  }

  get hash(): string {
    return [this.#low, this.#high].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
