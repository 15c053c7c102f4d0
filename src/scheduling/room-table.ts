import TinyQueue from 'tinyqueue';
import { amountOf, fits, type Resources } from '../resources/resources.ts';
import type { Allocation } from '../state/state.ts';
import { unclaimed } from './claims.ts';
import { accepts, type Wanted } from './feasibility.ts';

/** Cpu, memory, gpu and disk of each runner side by side: what is free, then what there is. */
const COLUMNS = 4;

/** How far runners are from holding a demand; ten thousand of them are compared in a tenth of a millisecond. */
export class RoomTable {
  readonly #allocations: readonly Allocation[];
  readonly #amounts: Float64Array;
  readonly #lacks: Float64Array;

  constructor(allocations: readonly Allocation[]) {
    this.#allocations = allocations;
    this.#amounts = new Float64Array(allocations.length * COLUMNS * 2);
    this.#lacks = new Float64Array(allocations.length);
    for (let at = 0; at < allocations.length; at += 1) {
      const allocation = allocations[at] as Allocation;
      this.#put(2 * at, unclaimed(allocation));
      this.#put(2 * at + 1, allocation.record.total);
    }
  }

  /**
   * @param mostOf how many are wanted, of so many that could ever hold it
   * @param plenty where more have room for it now, none is found
   * @returns those that lack the least, the nearest first, and how many could ever hold it
   */
  nearest(
    wanted: Wanted,
    mostOf: (able: number) => number,
    plenty: number,
  ): { readonly nearest: readonly Allocation[]; readonly able: number } {
    const able = this.#measure(wanted, plenty);
    if (able === null) return { nearest: [], able: 0 };
    const lacks = this.#lacks;
    const lotOf = (at: number): number => this.#allocations[at]?.lot ?? 0;
    // Equal ones in an order that all nodes share.
    const compare = (a: number, b: number): number =>
      (lacks[a] as number) - (lacks[b] as number) || lotOf(a) - lotOf(b);
    const found = new TinyQueue<number>([], (a, b) => compare(b, a));
    const most = mostOf(able);
    for (let at = 0; at < lacks.length && most > 0; at += 1) {
      if (lacks[at] === Infinity) continue;
      const last = found.length < most ? undefined : found.peek();
      if (last !== undefined && compare(at, last) >= 0) continue;
      found.push(at);
      if (last !== undefined) found.pop();
    }
    return { nearest: found.data.toSorted(compare).map((at) => this.#allocations[at] as Allocation), able };
  }

  /** @returns how many could hold it; null where more than plenty have room now */
  #measure(wanted: Wanted, plenty: number): number | null {
    const { demand } = wanted;
    const amounts = [demand.cpuMilli, demand.memoryBytes, demand.gpu, demand.diskBytes];
    let able = 0;
    let roomy = 0;
    for (let at = 0; at < this.#lacks.length; at += 1) {
      const lack = this.#lack(at, amounts, wanted);
      this.#lacks[at] = lack;
      if (lack !== Infinity) able += 1;
      if (lack <= 0 && (roomy += 1) > plenty) return null;
    }
    return able;
  }

  #lack(at: number, amounts: readonly number[], wanted: Wanted): number {
    const first = 2 * at * COLUMNS;
    let lack = -1;
    for (let i = 0; i < COLUMNS; i += 1) {
      const amount = amounts[i] as number;
      if (amount === 0) continue;
      const total = this.#amounts[first + COLUMNS + i] as number;
      if (amount > total) return Infinity;
      lack = Math.max(lack, (amount - (this.#amounts[first + i] as number)) / total);
    }
    const allocation = this.#allocations[at] as Allocation;
    if (!accepts(allocation.record, wanted)) return Infinity;
    for (const _ in wanted.demand.custom) return Math.max(lack, customLack(allocation, wanted.demand));
    return lack;
  }

  #put(row: number, { cpuMilli, memoryBytes, gpu, diskBytes }: Resources): void {
    this.#amounts.set([cpuMilli, memoryBytes, gpu, diskBytes], row * COLUMNS);
  }
}

/**
 * The largest part of a runner that must still come free for a demand; zero or less where it fits, infinite where it
 * never will.
 */
export function lackOf(allocation: Allocation, wanted: Wanted): number {
  const { record } = allocation;
  const { demand } = wanted;
  const free = unclaimed(allocation);
  if (!fits(demand, record.total) || !accepts(record, wanted)) return Infinity;
  return Math.max(
    lackingPart(demand.cpuMilli, free.cpuMilli, record.total.cpuMilli),
    lackingPart(demand.memoryBytes, free.memoryBytes, record.total.memoryBytes),
    lackingPart(demand.gpu, free.gpu, record.total.gpu),
    lackingPart(demand.diskBytes, free.diskBytes, record.total.diskBytes),
    customLack(allocation, demand),
  );
}

function customLack(allocation: Allocation, { custom }: Resources): number {
  const { total } = allocation.record;
  const free = unclaimed(allocation);
  let lack = -1;
  for (const name in custom) {
    const wanted = amountOf(custom, name);
    if (wanted > amountOf(total.custom, name)) return Infinity;
    lack = Math.max(lack, lackingPart(wanted, amountOf(free.custom, name), amountOf(total.custom, name)));
  }
  return lack;
}

function lackingPart(demand: number, free: number, total: number): number {
  return demand === 0 ? -1 : (demand - free) / total;
}
