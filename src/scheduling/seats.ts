import { assert } from '../errors.ts';
import type { QueueSettings } from '../jobs/queue-settings.ts';
import { formatConstraint } from '../resources/constraint.ts';
import type { QueuedJob } from '../jobs/job.ts';
import { add, amountOf, fits, type Resources, subtract, ZERO } from '../resources/resources.ts';
import { LIMITS } from '../limits.ts';
import type { Placement } from '../state/commands.ts';
import type { Allocation } from '../state/state.ts';
import { compareClaims, roomBehindClaims, unclaimed } from './claims.ts';
import { accepts, hasRoom, type Wanted } from './feasibility.ts';
import type { LoadOf } from './measured-load.ts';
import { COMPARE_ALL_UP_TO, costAt, pickBest, PROBES, type Random, type Seat } from './rank.ts';
import { mayTake } from './reservation.ts';

/** A runner as a scratch copy: what is free there shrinks with each decision, and the state stays as it is. */
export interface SeatAtRunner extends Seat {
  readonly placement: Placement;
  free: Resources;
  attempts: number;
  readonly load: number;
}

/** Where one class of jobs may go: by chance while most runners have room, then among those that were found to have. */
export interface Search {
  readonly wanted: Wanted;
  /** By position; null until chance no longer finds one. What has no room any more leaves it. */
  candidates: number[] | null;
  /** Which runners meet the constraints, found out when first asked: 0 not yet, else `YES` or `NO`. Null: all do. */
  readonly accepting: Uint8Array | null;
}

/** What is compared of each runner, side by side in one array: cpu, memory, gpu, disk, attempts. */
const COLUMNS = 5;
const YES = 1;
const NO = 2;

/** @param free what it offers there */
export function seatOf({ record, jobs }: Allocation, free: Resources, loadOf: LoadOf): SeatAtRunner {
  const placement = { runner: record.id, incarnation: record.incarnation };
  return { placement, total: record.total, free, attempts: jobs.size, load: loadOf(record.id) };
}

/** Smaller where a job is rather placed. */
export function costOf(seat: SeatAtRunner, demand: Resources, strategy: QueueSettings['strategy']): number {
  return costAt(seat, demand, strategy) + seat.load;
}

/** All runners that are ready, during one call of the scheduler. */
export class Seats {
  readonly #random: Random;
  readonly #loadOf: LoadOf;
  readonly #allocations: readonly Allocation[];
  /** Made when a runner is first looked at closely. */
  readonly #seats: (SeatAtRunner | undefined)[];
  readonly #room: Float64Array;
  /** The most that any of them has free of each: what asks for more fits nowhere. */
  readonly #mostFree: Resources;
  /** Claims that are left, by position. */
  readonly #claims = new Map<number, QueuedJob[]>();
  /** Made when it is first asked for. */
  #positions: Map<Allocation, number> | null = null;
  /** Whether each runner meets a set of constraints. */
  readonly #acceptingBy = new Map<string, Uint8Array>();
  /** By position: for which demands the runner is kept. */
  readonly #kept = new Map<number, readonly Resources[]>();
  /** A job took room for which runners are kept: fewer have to be, and what they refused may fit now. */
  keepsTooMany = false;
  /** Runners compared so far. */
  checks = 0;

  constructor(
    allocations: readonly Allocation[],
    { random, loadOf }: { readonly random: Random; readonly loadOf: LoadOf },
  ) {
    this.#random = random;
    this.#loadOf = loadOf;
    this.#allocations = allocations.filter(({ record }) => record.state === 'ready');
    this.#seats = Array.from(this.#allocations, () => undefined);
    this.#room = new Float64Array(this.#allocations.length * COLUMNS);
    for (let at = 0; at < this.#allocations.length; at += 1) {
      const allocation = this.#allocations[at] as Allocation;
      this.#setRoom(at, unclaimed(allocation), allocation.jobs.size);
      if (allocation.claims !== undefined) this.#claims.set(at, [...allocation.claims.values()]);
    }
    this.#mostFree = mostOf(this.#allocations);
  }

  search(wanted: Wanted): Search {
    const isHopeless = !fits(wanted.demand, this.#mostFree);
    return { wanted, candidates: isHopeless ? [] : null, accepting: this.#acceptingFor(wanted) };
  }

  /** Takes the room for one such job; null: no runner has it. */
  take(search: Search, strategy: QueueSettings['strategy']): Placement | null {
    const { demand } = search.wanted;
    const drawn = this.#draw(search).map((at) => ({ at, ...this.#seat(at) }));
    const best = pickBest(drawn, (seat) => costOf(seat, demand, strategy), this.#random);
    if (best === null) return null;
    this.keepsTooMany ||= this.#isKeptFor(search.wanted);
    return this.#place(best.at, demand);
  }

  /** Takes room that only jobs behind this one have claimed; null: there is none. */
  takeClaimed(job: QueuedJob): Placement | null {
    for (const [at, claims] of this.#claims) {
      const { record } = this.#allocations[at] as Allocation;
      const { free, attempts } = this.#seat(at);
      const seat = { free: roomBehindClaims(free, claims, job), attempts };
      if (accepts(record, job.plan) && hasRoom(seat, job.plan)) return this.#place(at, job.plan.demand);
    }
    return null;
  }

  /** Jobs that have a claim and were not placed, those that come first first. */
  get claimants(): readonly QueuedJob[] {
    return [...this.#claims.values()].flat().toSorted(compareClaims);
  }

  /** Takes the room that the job has claimed; null: it has claimed none, or it is not there yet. */
  takeOwn(job: QueuedJob): Placement | null {
    const at = this.#claimOf(job);
    if (at === null) return null;
    const { free, attempts } = this.#seat(at);
    const room = roomBehindClaims(free, this.#claims.get(at) ?? [], job);
    if (!hasRoom({ free: room, attempts }, job.plan)) return null;
    this.dropClaim(job);
    return this.#place(at, job.plan.demand);
  }

  /** It was placed: what it had claimed is free for others. */
  dropClaim(job: QueuedJob): void {
    const at = this.#claimOf(job);
    if (at === null) return;
    const left = this.#claims.get(at)?.filter((other) => other !== job) ?? [];
    this.#claims.set(at, left);
    const seat = this.#seat(at);
    seat.free = add(seat.free, job.plan.demand);
    this.#setRoom(at, seat.free, seat.attempts);
  }

  /** The position of the runner where it has a claim. */
  #claimOf(job: QueuedJob): number | null {
    if (job.claim === undefined) return null;
    for (const [at, claims] of this.#claims) if (claims.includes(job)) return at;
    return null;
  }

  /** What is free at a runner for this job after what was decided; null: nothing is placed there. */
  roomFor(allocation: Allocation, job: QueuedJob): Resources | null {
    const at = this.#positionOf(allocation);
    if (at === undefined) return null;
    return roomBehindClaims(this.#seat(at).free, this.#claims.get(at) ?? [], job);
  }

  /** It was decided that `freed` comes free there, for a job that takes `taken`. */
  exchange(allocation: Allocation, freed: Resources, taken: Resources): void {
    const at = this.#positionOf(allocation);
    assert(at !== undefined, 'room is made where something may be placed');
    const seat = this.#seat(at);
    seat.free = subtract(add(seat.free, freed), taken);
    this.#setRoom(at, seat.free, seat.attempts);
  }

  #positionOf(allocation: Allocation): number | undefined {
    this.#positions ??= new Map(this.#allocations.map((each, at) => [each, at]));
    return this.#positions.get(allocation);
  }

  #place(at: number, demand: Resources): Placement {
    const seat = this.#seat(at);
    seat.free = subtract(seat.free, demand);
    seat.attempts += 1;
    this.#setRoom(at, seat.free, seat.attempts);
    return seat.placement;
  }

  /** Until a job that asks for so much fits there, none that asks for less goes there. */
  keep(allocation: Allocation, demand: Resources): void {
    const at = this.#positionOf(allocation);
    if (at !== undefined) this.#kept.set(at, [...(this.#kept.get(at) ?? []), demand]);
  }

  #draw(search: Search): readonly number[] {
    if (search.candidates === null) {
      const found = this.#allocations.length > COMPARE_ALL_UP_TO ? this.#probe(search) : [];
      if (found.length > 0) return found;
      search.candidates = this.#scan(search);
    }
    return this.#drawFrom(search.candidates, search.wanted);
  }

  #probe(search: Search): number[] {
    const found: number[] = [];
    for (let probes = 0; probes < PROBES && found.length < 2; probes += 1) {
      const at = Math.floor(this.#random() * this.#allocations.length);
      if (found[0] !== at && this.#hasRoom(at, search.wanted) && this.#accepts(at, search)) found.push(at);
    }
    return found;
  }

  #scan(search: Search): number[] {
    const found: number[] = [];
    for (let at = 0; at < this.#allocations.length; at += 1) {
      if (this.#hasRoom(at, search.wanted) && this.#accepts(at, search)) found.push(at);
    }
    this.checks += this.#allocations.length;
    return found;
  }

  #drawFrom(candidates: number[], wanted: Wanted): readonly number[] {
    const drawn: number[] = [];
    while (candidates.length > COMPARE_ALL_UP_TO && drawn.length < 2) {
      const position = Math.floor(this.#random() * candidates.length);
      const at = candidates[position] ?? 0;
      if (this.#hasRoom(at, wanted)) drawn.push(at);
      else removeAt(candidates, position);
    }
    if (candidates.length > COMPARE_ALL_UP_TO) return drawn;
    for (let position = candidates.length - 1; position >= 0; position -= 1) {
      if (!this.#hasRoom(candidates[position] ?? 0, wanted)) removeAt(candidates, position);
    }
    return candidates;
  }

  #hasRoom(at: number, wanted: Wanted): boolean {
    const { demand } = wanted;
    const room = this.#room;
    const first = at * COLUMNS;
    if (demand.cpuMilli > (room[first] ?? 0) || demand.memoryBytes > (room[first + 1] ?? 0)) return false;
    if (demand.gpu > (room[first + 2] ?? 0) || demand.diskBytes > (room[first + 3] ?? 0)) return false;
    if ((room[first + 4] ?? 0) < 1) return false;
    const kept = this.#kept.size === 0 ? undefined : this.#kept.get(at);
    if (kept?.every((other) => mayTake(other, wanted)) === false) return false;
    for (const _ in demand.custom) return fits(demand, this.#seat(at).free);
    return true;
  }

  #isKeptFor(wanted: Wanted): boolean {
    for (const demands of this.#kept.values()) if (demands.some((kept) => mayTake(kept, wanted))) return true;
    return false;
  }

  #accepts(at: number, { wanted, accepting }: Search): boolean {
    if (accepting === null) return true;
    if (accepting[at] === 0) accepting[at] = accepts((this.#allocations[at] as Allocation).record, wanted) ? YES : NO;
    return accepting[at] === YES;
  }

  #acceptingFor({ constraints }: Wanted): Uint8Array | null {
    if (constraints.length === 0) return null;
    const key = constraints.map(formatConstraint).join('\n');
    const known = this.#acceptingBy.get(key) ?? new Uint8Array(this.#allocations.length);
    this.#acceptingBy.set(key, known);
    return known;
  }

  #setRoom(at: number, free: Resources, attempts: number): void {
    const first = at * COLUMNS;
    this.#room[first] = free.cpuMilli;
    this.#room[first + 1] = free.memoryBytes;
    this.#room[first + 2] = free.gpu;
    this.#room[first + 3] = free.diskBytes;
    this.#room[first + 4] = LIMITS.runnerAttempts - attempts;
  }

  #seat(at: number): SeatAtRunner {
    const known = this.#seats[at];
    if (known !== undefined) return known;
    const allocation = this.#allocations[at] as Allocation;
    const made = seatOf(allocation, unclaimed(allocation), this.#loadOf);
    this.#seats[at] = made;
    return made;
  }
}

/** The last one takes its place: the order of candidates means nothing. */
function removeAt(candidates: number[], position: number): void {
  const last = candidates.pop();
  if (last !== undefined && position < candidates.length) candidates[position] = last;
}

function mostOf(allocations: readonly Allocation[]): Resources {
  let { cpuMilli, memoryBytes, gpu, diskBytes } = ZERO;
  const custom: Record<string, number> = {};
  for (const { free } of allocations) {
    cpuMilli = Math.max(cpuMilli, free.cpuMilli);
    memoryBytes = Math.max(memoryBytes, free.memoryBytes);
    gpu = Math.max(gpu, free.gpu);
    diskBytes = Math.max(diskBytes, free.diskBytes);
    for (const name in free.custom) custom[name] = Math.max(amountOf(custom, name), amountOf(free.custom, name));
  }
  return { cpuMilli, memoryBytes, gpu, diskBytes, custom };
}
