import type { RunReport } from './simulation.ts';
import { Tally } from './tally.ts';

/** One run in which something went wrong. */
export interface Finding {
  readonly seed: number;
  readonly violation: string;
}

/** Plain data, so that it can go from one process to another. */
export interface TotalsData {
  readonly runs: number;
  readonly virtualMs: number;
  readonly events: number;
  readonly entries: number;
  readonly acknowledged: number;
  readonly operations: number;
  readonly faults: readonly (readonly [string, number])[];
  readonly tally: readonly (readonly [string, number])[];
  readonly findings: readonly Finding[];
}

/** The sums of many runs. */
export class Totals {
  #runs = 0;
  #virtualMs = 0;
  #events = 0;
  #entries = 0;
  #acknowledged = 0;
  #operations = 0;
  readonly #faults = new Tally();
  readonly #tally = new Tally();
  readonly #findings: Finding[] = [];

  get runs(): number {
    return this.#runs;
  }

  get findings(): readonly Finding[] {
    return this.#findings;
  }

  add({ seed, violation, virtualMs, events, entries, faults, tally, history }: RunReport): void {
    this.take({
      runs: 1,
      virtualMs,
      events,
      entries,
      acknowledged: history.acknowledged,
      operations: history.operations.length,
      faults: [...faults.counts],
      tally: [...tally.counts],
      findings: violation === null ? [] : [{ seed, violation: violation.message }],
    });
  }

  take(other: TotalsData): void {
    this.#runs += other.runs;
    this.#virtualMs += other.virtualMs;
    this.#events += other.events;
    this.#entries += other.entries;
    this.#acknowledged += other.acknowledged;
    this.#operations += other.operations;
    for (const [name, count] of other.faults) this.#faults.add(name, count);
    for (const [name, count] of other.tally) this.#tally.add(name, count);
    this.#findings.push(...other.findings);
  }

  get data(): TotalsData {
    return {
      runs: this.#runs,
      virtualMs: this.#virtualMs,
      events: this.#events,
      entries: this.#entries,
      acknowledged: this.#acknowledged,
      operations: this.#operations,
      faults: [...this.#faults.counts],
      tally: [...this.#tally.counts],
      findings: this.#findings,
    };
  }

  /** @param seconds of real time that the runs took together */
  lines(seconds: number): string[] {
    const hours = this.#virtualMs / 3_600_000;
    const byCount = [...this.#faults.counts, ...this.#tally.counts].toSorted(([, left], [, right]) => right - left);
    return [
      `${this.#runs} runs, ${hours.toFixed(2)} simulated hours, ${this.#events} events, ${this.#entries} entries committed`,
      `${(this.#runs / seconds).toFixed(1)} seeds a second, ${((hours / seconds) * 60).toFixed(2)} simulated hours a minute`,
      `${this.#operations} client operations, ${this.#acknowledged} acknowledged`,
      `${this.#faults.total} faults`,
      ...byCount.map(([name, count]) => `  ${String(count).padStart(9)}  ${name}`),
      `${this.#findings.length} violations`,
    ];
  }
}
