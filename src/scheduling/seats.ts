import { amountOf, fits, type Resources, subtract, ZERO } from '../resources/resources.ts';
import type { Placement } from '../state/commands.ts';
import type { RunnerRecord } from '../state/records.ts';
import type { Allocation } from '../state/state.ts';
import { accepts, hasRoom, type Wanted } from './feasibility.ts';
import { COMPARE_ALL_UP_TO, pickBest, type Random, type Seat, takenShare } from './rank.ts';

/** A runner as a scratch copy: what is free there shrinks with each decision, and the state stays as it is. */
export interface SeatAtRunner extends Seat {
  readonly record: RunnerRecord;
  readonly placement: Placement;
  free: Resources;
  attempts: number;
}

export function seatOf({ record, free, jobs }: Allocation): SeatAtRunner {
  const placement = { runner: record.id, incarnation: record.incarnation };
  return { record, placement, total: record.total, free, attempts: jobs.size };
}

/** All runners that are ready, during one call of the scheduler. */
export class Seats {
  readonly #seats: SeatAtRunner[] = [];
  readonly #random: Random;
  /** The most that any of them has free of each: what asks for more fits nowhere. */
  readonly #mostFree: Resources;

  constructor(allocations: readonly Allocation[], random: Random) {
    this.#random = random;
    for (const allocation of allocations) if (allocation.record.state === 'ready') this.#seats.push(seatOf(allocation));
    this.#mostFree = mostOf(this.#seats);
  }

  get count(): number {
    return this.#seats.length;
  }

  /** Those that have room for one such job. */
  candidatesFor(wanted: Wanted): SeatAtRunner[] {
    if (!fits(wanted.demand, this.#mostFree)) return [];
    return this.#seats.filter((seat) => hasRoom(seat, wanted) && accepts(seat.record, wanted));
  }

  /**
   * Takes the room for one such job.
   * @param candidates of the class; those without room any more leave it
   */
  take(candidates: SeatAtRunner[], wanted: Wanted): Placement | null {
    const { demand } = wanted;
    const best = pickBest(this.#draw(candidates, wanted), (seat) => takenShare(seat, demand), this.#random);
    if (best === null) return null;
    best.free = subtract(best.free, demand);
    best.attempts += 1;
    return best.placement;
  }

  #draw(candidates: SeatAtRunner[], wanted: Wanted): readonly SeatAtRunner[] {
    const drawn: SeatAtRunner[] = [];
    while (candidates.length > COMPARE_ALL_UP_TO && drawn.length < 2) {
      const at = Math.floor(this.#random() * candidates.length);
      const seat = candidates[at];
      if (seat !== undefined && hasRoom(seat, wanted)) drawn.push(seat);
      else removeAt(candidates, at);
    }
    if (candidates.length > COMPARE_ALL_UP_TO) return drawn;
    for (let at = candidates.length - 1; at >= 0; at -= 1) {
      const seat = candidates[at];
      if (seat !== undefined && !hasRoom(seat, wanted)) removeAt(candidates, at);
    }
    return candidates;
  }
}

/** The last one takes its place: the order of candidates means nothing. */
function removeAt(candidates: SeatAtRunner[], at: number): void {
  const last = candidates.pop();
  if (last !== undefined && at < candidates.length) candidates[at] = last;
}

function mostOf(seats: readonly Seat[]): Resources {
  let { cpuMilli, memoryBytes, gpu, diskBytes } = ZERO;
  const custom: Record<string, number> = {};
  for (const { free } of seats) {
    cpuMilli = Math.max(cpuMilli, free.cpuMilli);
    memoryBytes = Math.max(memoryBytes, free.memoryBytes);
    gpu = Math.max(gpu, free.gpu);
    diskBytes = Math.max(diskBytes, free.diskBytes);
    for (const name in free.custom) custom[name] = Math.max(amountOf(custom, name), amountOf(free.custom, name));
  }
  return { cpuMilli, memoryBytes, gpu, diskBytes, custom };
}
