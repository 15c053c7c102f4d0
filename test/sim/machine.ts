import type { Logger } from 'pino';
import { decodeOpen } from '../../node/open-messages.ts';
import { Replica } from '../../node/replica/replica.ts';
import type { Configuration, Index } from '../../raft/types.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Chance } from './chance.ts';
import type { EventLoop } from './event-loop.ts';
import type { Invariants } from './invariants.ts';
import { LogImage } from './log-image.ts';
import { type MachineClock, NodeProcess } from './node-process.ts';
import type { Profile } from './profile.ts';
import { SimDisk } from './sim-disk.ts';
import { StateImage } from './state-image.ts';
import { SimLogStore } from './sim-log-store.ts';
import type { NetworkEnd, SimNetwork } from './sim-network.ts';
import { SimSnapshotInbox, SimStateStore } from './sim-state-store.ts';
import type { Trace } from './trace.ts';
import { Violation } from './violation.ts';

export interface World {
  readonly loop: EventLoop;
  readonly network: SimNetwork;
  readonly invariants: Invariants;
  readonly trace: Trace;
  readonly chance: Chance;
  readonly profile: Profile;
}

/** One start of the node on a machine. */
export interface Running {
  readonly process: NodeProcess;
  readonly session: string;
  readonly end: NetworkEnd;
  /** Null until they are opened. */
  log: SimLogStore | null;
  replica: Replica | null;
}

/** A process that dies of an error first runs on for a moment. */
const DYING_MS = 20;
const OPENING_MS = [2, 60] as const;
/** One of several disks is so much slower than the others, but not so slow that it could never lead. */
const SLOW_DISK = 8;
const SLOW_PART_OF_ELECTION = 0.4;

/** A computer with a disk, clocks and, while it is up, a node. */
export class Machine {
  readonly id: NodeId;
  readonly disk: SimDisk;
  readonly clock: MachineClock;
  readonly #world: World;
  readonly #chance: Chance;
  readonly #initial: Configuration;
  #starts = 0;
  running: Running | null = null;
  /** `refusing`: its node finds its disk damaged. `gone`: it never comes back under this id. */
  state: 'up' | 'down' | 'refusing' | 'gone' = 'down';

  constructor(world: World, id: NodeId, initial: Configuration) {
    const { chance, profile } = world;
    this.id = id;
    this.#world = world;
    this.#chance = chance.fork();
    this.#initial = initial;
    const isSlow = this.#chance.happens(0.2);
    const [least, most] = profile.disk.syncMs;
    const slow = Math.min(most * SLOW_DISK, SLOW_PART_OF_ELECTION * profile.timing.electionMs);
    this.disk = new SimDisk(this.#chance.fork(), { ...profile.disk, syncMs: [least, isSlow ? slow : most] });
    this.clock = {
      rate: 1 + this.#chance.between(-profile.drift, profile.drift),
      ahead: Math.floor(this.#chance.between(-500, 500)),
      bootedAt: world.loop.now - this.#chance.between(0, 100_000),
    };
  }

  get replica(): Replica | null {
    return this.running?.replica ?? null;
  }

  get isServing(): boolean {
    return this.replica !== null;
  }

  get memory(): LogImage | null {
    return this.running?.log?.memory ?? null;
  }

  start(): void {
    if (this.state !== 'down') return;
    const { loop, network, trace } = this.#world;
    this.#starts += 1;
    const session = `${this.id}#${this.#starts}`;
    trace.note(`${session} starts`);
    const process = new NodeProcess(loop, this.clock, this.#chance.fork());
    const running: Running = { process, session, end: network.attach(this.id, process), log: null, replica: null };
    this.state = 'up';
    this.running = running;
    loop.in(this.#chance.between(...OPENING_MS), process, () => void this.#open(running));
  }

  /** The process ends at once. What it wrote without a sync stays: the operating system has it. */
  kill(): void {
    this.#end('kill', () => this.disk.state.lose(this.disk.state.unsynced));
  }

  /** The machine ends at once, and with it everything that was not synced, up to a point. */
  losePower(): void {
    this.#end('powerLoss', () => this.disk.state.lose(this.#chance.whole(0, this.disk.state.unsynced)));
  }

  /** Never to return under this id. */
  retire(): void {
    this.losePower();
    this.state = 'gone';
  }

  /** Somebody puts an empty disk in and starts the node under its old id, which is wrong. */
  wipe(): void {
    this.losePower();
    this.disk.log = new LogImage();
    this.disk.state = new StateImage();
    this.disk.offer = null;
  }

  pauseFor(ms: number): void {
    const { running } = this;
    if (running === null) return;
    running.process.pause();
    this.#world.loop.in(ms, null, () => running.process.goOn());
  }

  #end(how: string, loseWrites: () => void): void {
    const { running } = this;
    if (running === null) return;
    running.process.die();
    const batch = running.log?.crash() ?? 'nothing';
    loseWrites();
    this.#world.trace.note(`${running.session} ${how}, batch under way: ${batch}, state at ${this.disk.state.applied}`);
    running.end.breakStreams();
    this.running = null;
    if (this.state === 'up') this.state = 'down';
  }

  async #open(running: Running): Promise<void> {
    const { loop, invariants, trace, profile } = this.#world;
    const { process, end, session } = running;
    try {
      const log = new SimLogStore(this.disk, loop, process, {
        asked: (request, memory) => this.#guard(() => invariants.asked(this, request, memory)),
      });
      const watch = {
        written: ({ applied, hash }: { readonly applied: Index; readonly hash: number }) =>
          this.#guard(() => invariants.reference.check(this.id, applied, hash)),
      };
      const parts = { disk: this.disk, loop, owner: process, watch };
      const store = new SimStateStore(parts, this.disk.openState());
      const inbox = new SimSnapshotInbox(parts);
      running.log = log;
      const replica = await Replica.open(
        { self: this.id, session, log, store, inbox, network: end, logger: this.#logger(session), runtime: process },
        { ...profile, initial: this.#initial },
        {
          changed: () => undefined,
          configuration: () => undefined,
          roleChanged: ({ role, term, leader }) => trace.note(`${session} ${role} term ${term} leader ${leader}`),
          restored: () => trace.note(`${session} installed a snapshot`),
          fatal: (error) => this.#fatal(running, error),
        },
      );
      running.replica = replica;
      end.handleOpen((_from, body) => {
        decodeOpen(body);
        return replica.snapshotBytes();
      });
      replica.start();
    } catch (error) {
      this.#refuse(running, error);
    }
  }

  /** A node with a damaged log must not vote: it does not even start. */
  #refuse(running: Running, error: unknown): void {
    const known = isRefusal(error) && this.disk.damage !== 'none';
    if (!known) {
      this.#report(running, error);
      return;
    }
    this.#world.trace.note(`${running.session} refuses to start: its log is damaged`);
    this.#end('refusal', () => undefined);
    this.state = 'refusing';
  }

  #fatal(running: Running, error: unknown): void {
    const { loop, trace } = this.#world;
    const cause = error instanceof Fault ? (error.cause ?? error) : error;
    const known = cause instanceof Fault && cause.code === this.disk.trouble;
    if (!known) {
      this.#report(running, error);
      return;
    }
    trace.note(`${running.session} stops: ${String(error)}`);
    loop.in(this.#chance.float() * DYING_MS, running.process, () => this.kill());
  }

  /** A node that stops for no known reason has a bug. */
  #report(running: Running, error: unknown): void {
    if (running.process.life === 'dead') return;
    const cause = error instanceof Fault ? (error.cause ?? error) : error;
    const isBug = cause instanceof Error && cause.name === 'AssertionError';
    const invariant = isBug ? 'assertions' : 'no unexpected error';
    this.#world.loop.fail(
      cause instanceof Violation ? cause : new Violation(invariant, `${this.id}: ${describe(error)}`, { cause: error }),
    );
  }

  /** A promise that nobody waits for must not swallow what is found within it. */
  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#world.loop.fail(error);
    }
  }

  #logger(session: string): Logger {
    const { trace } = this.#world;
    const log = (fields: object, message: string): void => {
      if (trace.isRead) trace.tell(`${session} logs: ${message} ${JSON.stringify(fields)}`);
    };
    return { debug: log, info: log, warn: log, error: log } as unknown as Logger;
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? String(error) : `${String(error)}: ${describe(error.cause)}`;
}

/** What a damaged disk makes a node say; the damaged byte may be the one that tells the version. */
function isRefusal(error: unknown): boolean {
  return (
    (error instanceof Fault && error.code === 'corrupt') ||
    (error instanceof Rejection && error.code === 'wrongVersion')
  );
}
