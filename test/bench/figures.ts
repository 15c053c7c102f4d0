import { median } from './statistics.ts';

/** What the rounds measured, by name; told as medians. */
export class Figures {
  readonly #values = new Map<string, number[]>();

  record(name: string, value: number): void {
    this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
  }

  tell(name: string, digits = 0): string {
    return formatNumber(median(this.#values.get(name) ?? []), digits);
  }

  /** The largest of all rounds. */
  tellMax(name: string, digits = 0): string {
    return formatNumber(Math.max(...(this.#values.get(name) ?? [])), digits);
  }
}

export function formatNumber(value: number, digits = 0): string {
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}
