import type { Runtime, Timer } from '../../node/replica/runtime.ts';
import type { Chance } from './chance.ts';
import type { Event, EventLoop, Owner } from './event-loop.ts';

/** How one machine's clocks differ from true time. */
export interface MachineClock {
  /** Local milliseconds in a true one. */
  readonly rate: number;
  /** What the wall clock is ahead. It may jump. */
  ahead: number;
  readonly bootedAt: number;
}

/** The wall clock at the beginning of each run. */
export const EPOCH = Date.UTC(2030, 0, 1);

/** One start of a node: what it scheduled dies with it, and waits while it stands still. */
export class NodeProcess implements Owner, Runtime {
  readonly #loop: EventLoop;
  readonly #clock: MachineClock;
  readonly #chance: Chance;
  #life: Owner['life'] = 'up';
  #deferred: Event[] = [];

  constructor(loop: EventLoop, clock: MachineClock, chance: Chance) {
    this.#loop = loop;
    this.#clock = clock;
    this.#chance = chance;
  }

  get life(): Owner['life'] {
    return this.#life;
  }

  defer(event: Event): void {
    this.#deferred.push(event);
  }

  pause(): void {
    if (this.#life === 'up') this.#life = 'paused';
  }

  goOn(): void {
    if (this.#life !== 'paused') return;
    this.#life = 'up';
    this.#loop.resume(this.#deferred.splice(0));
  }

  die(): void {
    this.#life = 'dead';
    this.#deferred = [];
  }

  now(): number {
    return (this.#loop.now - this.#clock.bootedAt) * this.#clock.rate;
  }

  date(): number {
    return Math.floor(EPOCH + this.#loop.now * this.#clock.rate + this.#clock.ahead);
  }

  random(): number {
    return this.#chance.float();
  }

  after(ms: number, action: () => void): Timer {
    let state: 'set' | 'stopped' = 'set';
    this.#loop.in(this.#late(ms), this, () => state === 'set' && action(), 'timer');
    return { stop: () => (state = 'stopped') };
  }

  every(ms: number, action: () => void): Timer {
    let state: 'set' | 'stopped' = 'set';
    const ring = (): void => {
      if (state === 'stopped') return;
      this.#loop.in(this.#late(ms), this, ring, 'timer');
      action();
    };
    this.#loop.in(this.#late(ms), this, ring, 'timer');
    return { stop: () => (state = 'stopped') };
  }

  soon(action: () => void): void {
    this.#loop.in(0, this, action);
  }

  /** Timers are never early and mostly a little late. */
  #late(ms: number): number {
    return ms / this.#clock.rate + this.#chance.float();
  }
}
