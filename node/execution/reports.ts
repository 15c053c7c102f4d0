import type { Logger } from 'pino';
import { SYSTEM } from '../../src/auth.ts';
import type { Incarnation, NodeId } from '../../src/ids.ts';
import { followOn } from '../../src/scheduling/follow-on.ts';
import type { Command } from '../../src/state/commands.ts';
import { Backoff } from '../p2p/backoff.ts';
import type { Replica } from '../replica/replica.ts';
import type { AttemptKey, RunnerEvent, RunnerSupervisor } from '../runner/ports.ts';

/** A start waits this long for the end of a short job, so that one entry tells both. */
const START_DELAY_MS = 20;
/**
 * An end waits this long for others, unless they are so many: each entry of the log costs a sync, whatever it holds.
 * Longer where the room of all of them has been taken over, since nothing stands empty then.
 */
const END_DELAY_MS = { free: 2, passedOn: 8 } as const;
/** Of the attempts that are at work here; with few of them a slot would stand empty for longer than the entry costs. */
const ENDS_TOGETHER = { free: 1 / 4, passedOn: 1 / 2 } as const;
/** While all attempts that end ran no longer, the next are placed before there is room for them. */
const SHORT_MS = 20;
const RETRY_MS = 200;
const RETRY_MS_MAX = 3_000;
const MAX_PER_PROPOSAL = 512;

type Ended = Extract<RunnerEvent, { kind: 'ended' }>;
type Started = Extract<RunnerEvent, { kind: 'started' }>;
type Start = { readonly event: Started; readonly incarnation: Incarnation; readonly dueAt: number };

export interface ReportsDependencies {
  readonly runner: NodeId;
  readonly replica: Pick<Replica, 'propose' | 'state'>;
  readonly supervisor: Pick<RunnerSupervisor, 'forget'>;
  readonly logger: Logger;
}

/**
 * Brings what the runner tells into the log. Ends go together with placements of what may follow in their room, so that
 * a busy runner does not wait for the leader's scheduler between two jobs. An end is proposed until the log has taken or
 * refused it, and only then may the runner forget it; repeated ends of one attempt are merged.
 */
export class Reports {
  readonly #runner: NodeId;
  readonly #replica: ReportsDependencies['replica'];
  readonly #supervisor: ReportsDependencies['supervisor'];
  readonly #logger: Logger;
  readonly #starts = new Map<string, Start>();
  /** Proposed, or waiting to be proposed again, and not outdated by their end. */
  readonly #unsettled = new Map<string, Start>();
  readonly #ends = new Map<string, Ended>();
  readonly #proposing = new Set<string>();
  /** One at a time: what follows is chosen from a state that knows of the ends before. */
  #endsUnderWay = false;
  /** When the ends that wait have waited for others for long enough. */
  #endsDueAt = Infinity;
  /** Whether the room of all of them has been taken over. */
  #room: 'passedOn' | 'free' = 'passedOn';
  /** The leader refuses, or is away: of all proposals at once. */
  readonly #backoff = new Backoff(Math.random, { minMs: RETRY_MS, maxMs: RETRY_MS_MAX });
  #timer: NodeJS.Timeout | null = null;
  #endTimer: NodeJS.Timeout | null = null;
  #flushQueued = false;
  #stopped = false;

  constructor({ runner, replica, supervisor, logger }: ReportsDependencies) {
    this.#runner = runner;
    this.#replica = replica;
    this.#supervisor = supervisor;
    this.#logger = logger;
  }

  /** Ends that were told and never proposed. */
  get waitingEnds(): number {
    return this.#ends.size;
  }

  started(event: Started, incarnation: Incarnation): void {
    const key = keyOf(event);
    if (this.#ends.has(key) || this.#proposing.has(key) || this.#unsettled.has(key)) return;
    this.#starts.set(key, { event, incarnation, dueAt: performance.now() + START_DELAY_MS });
    this.#arm(START_DELAY_MS);
  }

  /** @param room `passedOn`: another attempt has begun in its room */
  ended(event: Ended, room: 'passedOn' | 'free'): void {
    const key = keyOf(event);
    this.#starts.delete(key);
    this.#unsettled.delete(key);
    if (this.#proposing.has(key)) return;
    this.#ends.set(key, event);
    if (room === 'free') this.#room = 'free';
    this.#endsDueAt = Math.min(this.#endsDueAt, performance.now() + END_DELAY_MS[room]);
    this.#reviewEnds();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
  }

  /** Attempts that the log has here, without those whose end is on its way there. */
  #atWork(): number {
    return (this.#replica.state.allocations.get(this.#runner)?.jobs.size ?? 0) - this.#proposing.size;
  }

  #reviewEnds(): void {
    if (this.#stopped || this.#endsUnderWay || this.#ends.size === 0) return;
    const leftMs = this.#endsDueAt - performance.now();
    if (leftMs <= 0 || this.#ends.size >= this.#atWork() * ENDS_TOGETHER[this.#room]) return this.#flushSoon();
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(() => {
      this.#endsDueAt = 0;
      this.#reviewEnds();
    }, leftMs);
  }

  #flushSoon(): void {
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    setImmediate(() => this.#flush());
  }

  #arm(ms: number): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#flush();
    }, ms);
  }

  #flush(): void {
    this.#flushQueued = false;
    if (this.#stopped) return;
    const ends = this.#takeEnds();
    const now = performance.now();
    const starts = [...this.#starts].filter(([, start]) => start.dueAt <= now + 1).slice(0, MAX_PER_PROPOSAL);
    for (const [key, start] of starts) {
      this.#starts.delete(key);
      this.#unsettled.set(key, start);
    }
    if (starts.length > 0) void this.#proposeStarts(starts);
    if (ends.length > 0) void this.#proposeEnds(ends);
    if (this.#starts.size > 0) this.#arm(START_DELAY_MS);
  }

  #takeEnds(): readonly (readonly [string, Ended])[] {
    if (this.#endsUnderWay) return [];
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
    this.#endTimer = null;
    this.#endsDueAt = Infinity;
    this.#room = 'passedOn';
    const ends = [...this.#ends].slice(0, MAX_PER_PROPOSAL);
    for (const [key] of ends) {
      this.#ends.delete(key);
      this.#proposing.add(key);
    }
    if (this.#ends.size > 0) this.#endsDueAt = 0;
    return ends;
  }

  /** An end tells the start too, so a start that is outdated by it is let go. */
  async #proposeStarts(starts: readonly (readonly [string, Start])[]): Promise<void> {
    try {
      const results = await this.#replica.propose(
        SYSTEM,
        starts.map(([, start]) => startCommand(start)),
      );
      this.#backoff.reset();
      for (const [i, [key, { event }]] of starts.entries()) {
        const result = results[i];
        if (result?.ok === false) this.#logger.info({ ...idOf(event), code: result.code }, 'a start was refused');
        this.#unsettled.delete(key);
      }
    } catch (error) {
      this.#logger.info({ err: error, count: starts.length }, 'starts were not taken and are proposed again');
      setTimeout(() => this.#startAgain(starts), this.#backoff.nextDelayMs());
    }
  }

  #startAgain(starts: readonly (readonly [string, Start])[]): void {
    for (const [key, start] of starts) if (this.#unsettled.delete(key)) this.#starts.set(key, start);
    if (this.#starts.size > 0) this.#arm(START_DELAY_MS);
  }

  async #proposeEnds(ends: readonly (readonly [string, Ended])[]): Promise<void> {
    this.#endsUnderWay = true;
    try {
      const following = followOn(
        this.#replica.state,
        this.#runner,
        ends.map(([, event]) => event.job),
        { random: Math.random, ahead: ends.every(([, event]) => wasShort(event)) ? 'some' : 'none' },
      );
      const commands = [...ends.map(([, event]) => endCommand(event)), ...following];
      const results = await this.#replica.propose(SYSTEM, commands);
      this.#backoff.reset();
      for (const [i, [key, event]] of ends.entries()) {
        const result = results[i];
        if (result?.ok === false) this.#logger.info({ ...idOf(event), code: result.code }, 'an end was refused');
        this.#proposing.delete(key);
        this.#supervisor.forget(idOf(event));
      }
    } catch (error) {
      this.#logger.warn({ err: error, count: ends.length }, 'ends were not taken and are proposed again');
      setTimeout(() => {
        for (const [key, event] of ends) {
          this.#proposing.delete(key);
          this.ended(event, 'free');
        }
      }, this.#backoff.nextDelayMs());
    } finally {
      this.#endsUnderWay = false;
      this.#reviewEnds();
    }
  }
}

function keyOf(attempt: AttemptKey): string {
  return `${attempt.job}/${attempt.attempt}`;
}

function wasShort({ startedAt, endedAt }: Ended): boolean {
  return startedAt !== null && endedAt - startedAt <= SHORT_MS;
}

function idOf(event: AttemptKey): AttemptKey {
  return { job: event.job, attempt: event.attempt };
}

function startCommand(start: { readonly event: Started; readonly incarnation: Incarnation }): Command {
  const { job, attempt, at } = start.event;
  return { kind: 'started', job, attempt, incarnation: start.incarnation, at };
}

function endCommand(event: Ended): Command {
  const { job, attempt, incarnation, startedAt, endedAt, end } = event;
  return { kind: 'ended', job, attempt, incarnation, startedAt, endedAt, end };
}
