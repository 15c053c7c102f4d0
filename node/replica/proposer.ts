import type { Refusal } from '../../raft/effects.ts';
import type { Principal } from '../../src/auth.ts';
import { assert, Fault, Rejection, unreachable } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { ProposalResults } from '../../src/state/apply.ts';
import { encodeProposal, packEntry } from '../../src/state/codec.ts';
import type { Command, CommandResult } from '../../src/state/commands.ts';
import type { ReplicaLimits, ReplicaTimes } from './limits.ts';
import type { Runtime, Timer } from './runtime.ts';

/** What the proposer needs of consensus and of the way to the leader. */
export interface ProposalPort {
  /** The leader as this node knows it. */
  leader(): NodeId | null;
  isLeader(): boolean;
  /** A sync of this node's log is under way: proposals gather for the next one. */
  persistInFlight(): boolean;
  /** Names the next request to the core. */
  nextRequest(): number;
  /** One entry. A refusal comes to `Proposer.refused`, maybe before this returns. */
  append(id: number, entry: Uint8Array): void;
  /** Hands encoded proposals to another node, which takes them if it leads. */
  forward(to: NodeId, proposals: readonly Uint8Array[]): Promise<'taken' | 'refused'>;
}

export interface ProposerOptions {
  /** Names the proposals of this start of this node. */
  readonly origin: string;
  readonly limits: ReplicaLimits;
  readonly times: ReplicaTimes;
}

interface Pending {
  readonly bytes: Uint8Array;
  readonly deadline: number;
  /** When it is given up, if no leader was known to send it to. */
  readonly leaderlessUntil: number;
  sends: number;
  /** When it goes again without an answer; never while it stands in the log of this node's own leadership. */
  repeatAt: number;
  readonly resolve: (results: readonly CommandResult[]) => void;
  readonly reject: (error: Error) => void;
}

interface Waiting {
  readonly sequence: number | null;
  readonly bytes: Uint8Array;
}

/**
 * Brings commands into the log and gives each caller the results that apply produced. Callers share entries: what
 * arrives while a sync or a forward is under way goes together in the next. A proposal whose leader may be gone is
 * proposed again; commands are idempotent, so one that stands in the log twice has one effect.
 */
export class Proposer {
  readonly #port: ProposalPort;
  readonly #runtime: Runtime;
  readonly #origin: string;
  readonly #limits: ReplicaLimits;
  readonly #times: ReplicaTimes;
  readonly #pending = new Map<number, Pending>();
  #pendingBytes = 0;
  #sequence = 0;
  /** Own and forwarded proposals that wait to be sent, as bytes; sequence is null for those of another node. */
  #waiting: Waiting[] = [];
  #flushQueued = false;
  /** The core refused an entry: what waits goes after a pause. */
  #pausing = false;
  /** Under way to the leader of now; what was sent to one before is not waited for. */
  #forwards = new Set<object>();
  readonly #appended = new Map<number, Waiting[]>();
  #lastAt = 0;
  readonly #timer: Timer;
  #stopped: Fault | null = null;

  constructor(port: ProposalPort, runtime: Runtime, options: ProposerOptions) {
    this.#port = port;
    this.#runtime = runtime;
    this.#origin = options.origin;
    this.#limits = options.limits;
    this.#times = options.times;
    this.#timer = runtime.every(this.#times.reproposeMs / 4, () => this.#retryLate());
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /**
   * @returns one result per command, once this node's state holds them.
   * @throws Rejection `tooLarge`; Fault `overloaded`; `noLeader` when it was sent to nobody; `timedOut` when no result
   *   came in time: the outcome is then unknown
   */
  propose(principal: Principal, commands: readonly Command[]): Promise<readonly CommandResult[]> {
    if (this.#stopped !== null) return Promise.reject(this.#stopped);
    this.#sequence += 1;
    const sequence = this.#sequence;
    const bytes = encodeProposal({ principal, origin: this.#origin, sequence, commands });
    if (bytes.length > this.#limits.proposalBytes) {
      const limit = { name: 'proposalBytes', value: this.#limits.proposalBytes };
      return Promise.reject(new Rejection('tooLarge', 'the request does not fit into one entry of the log', { limit }));
    }
    if (
      this.#pending.size >= this.#limits.pendingProposals ||
      this.#pendingBytes + bytes.length > this.#limits.pendingProposalBytes
    ) {
      return Promise.reject(new Fault('overloaded', 'too many submissions wait for the leader at this node'));
    }
    return new Promise((resolve, reject) => {
      const now = this.#runtime.now();
      const deadline = now + this.#times.proposalDeadlineMs;
      const leaderlessUntil = now + this.#times.leaderlessMs;
      const sends = 0;
      this.#pending.set(sequence, { bytes, deadline, leaderlessUntil, sends, repeatAt: Infinity, resolve, reject });
      this.#pendingBytes += bytes.length;
      this.#waiting.push({ sequence, bytes });
      this.#queueFlush();
    });
  }

  /** Proposals of another node; this one leads as far as it knows. */
  takeForwarded(proposals: readonly Uint8Array[]): 'taken' | 'refused' {
    if (this.#stopped !== null || !this.#port.isLeader()) return 'refused';
    if (this.#waiting.length > this.#limits.pendingProposals) return 'refused';
    for (const bytes of proposals) this.#waiting.push({ sequence: null, bytes });
    this.#queueFlush();
    return 'taken';
  }

  /** From apply; of every node's proposals. */
  results(outcome: ProposalResults): void {
    if (outcome.origin !== this.#origin) return;
    const pending = this.#pending.get(outcome.sequence);
    if (pending === undefined) return;
    this.#drop(outcome.sequence, pending);
    pending.resolve(outcome.results);
  }

  /** It stands in this leader's log: more copies would only fill it. */
  accepted(id: number): void {
    for (const item of this.#appended.get(id) ?? []) {
      const pending = this.#pendingOf(item);
      if (pending !== undefined) pending.repeatAt = Infinity;
    }
    this.#appended.delete(id);
  }

  /** An entry that the core did not take. Own proposals go again; the nodes of the others ask again themselves. */
  refused(refusal: Refusal): void {
    const batch = this.#appended.get(refusal.id);
    if (batch === undefined) return;
    this.#appended.delete(refusal.id);
    this.#putBack(batch);
    this.#pause();
  }

  /** A new leader may not have what the one before had taken: everything without a result goes again. */
  leaderChanged(): void {
    this.#forwards = new Set();
    this.#pausing = false;
    const queued = new Set(this.#waiting.map((item) => item.sequence));
    for (const [sequence, pending] of this.#pending) {
      if (!queued.has(sequence)) this.#waiting.push({ sequence, bytes: pending.bytes });
    }
    this.#queueFlush();
  }

  /** The local log is durable again: what gathered may go. */
  persisted(): void {
    if (this.#waiting.length > 0) this.#queueFlush();
  }

  stop(fault: Fault): void {
    this.#stopped = fault;
    this.#timer.stop();
    for (const [sequence, pending] of this.#pending) {
      this.#drop(sequence, pending);
      pending.reject(fault);
    }
  }

  #drop(sequence: number, pending: Pending): void {
    this.#pending.delete(sequence);
    this.#pendingBytes -= pending.bytes.length;
  }

  #pause(): void {
    if (this.#pausing) return;
    this.#pausing = true;
    this.#runtime.after(this.#times.retryPauseMs, () => {
      this.#pausing = false;
      if (this.#waiting.length > 0) this.#queueFlush();
    });
  }

  #queueFlush(): void {
    if (this.#flushQueued || this.#pausing) return;
    this.#flushQueued = true;
    this.#runtime.soon(() => {
      this.#flushQueued = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#stopped !== null || this.#waiting.length === 0) return;
    const leader = this.#port.leader();
    const route = this.#port.isLeader() ? 'append' : leader === null ? 'wait' : 'forward';
    switch (route) {
      case 'append':
        if (this.#port.persistInFlight() && !this.#entryIsFull()) return;
        this.#append();
        break;
      case 'forward':
        if (this.#forwards.size === 0 || this.#entryIsFull()) void this.#forward(leader as NodeId);
        break;
      case 'wait':
        this.#pause();
        break;
      default:
        unreachable(route);
    }
  }

  #entryIsFull(): boolean {
    if (this.#waiting.length >= this.#limits.entryProposals) return true;
    let bytes = 0;
    for (const item of this.#waiting) {
      bytes += item.bytes.length;
      if (bytes >= this.#limits.entryBytes) return true;
    }
    return false;
  }

  /** As many waiting proposals as one entry takes; at least one, however large. */
  #takeEntry(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const item of this.#waiting) {
      bytes += item.bytes.length;
      if (count > 0 && (bytes > this.#limits.entryBytes || count >= this.#limits.entryProposals)) break;
      count += 1;
    }
    const batch = this.#waiting.splice(0, count);
    const now = this.#runtime.now();
    for (const item of batch) {
      const pending = this.#pendingOf(item);
      if (pending === undefined) continue;
      pending.repeatAt = now + Math.min(this.#times.reproposeMs * 2 ** pending.sends, this.#times.reproposeMaxMs);
      pending.sends += 1;
    }
    return batch;
  }

  #pendingOf({ sequence }: Waiting): Pending | undefined {
    return sequence === null ? undefined : this.#pending.get(sequence);
  }

  #append(): void {
    const batch = this.#takeEntry();
    assert(batch.length > 0, 'an entry holds at least one proposal');
    this.#lastAt = Math.max(this.#lastAt, this.#runtime.date());
    const entry = packEntry(
      this.#lastAt,
      batch.map((item) => item.bytes),
    );
    const id = this.#port.nextRequest();
    this.#appended.set(id, batch);
    this.#port.append(id, entry);
    if (this.#waiting.length > 0) this.#queueFlush();
  }

  async #forward(leader: NodeId): Promise<void> {
    const batch = this.#takeEntry();
    const underWay = this.#forwards;
    underWay.add(batch);
    let answer: 'taken' | 'refused';
    try {
      answer = await this.#port.forward(
        leader,
        batch.map((item) => item.bytes),
      );
    } catch {
      answer = 'refused';
    }
    underWay.delete(batch);
    if (underWay !== this.#forwards) return;
    if (answer === 'refused') {
      this.#putBack(batch);
      this.#pause();
    } else if (this.#waiting.length > 0) this.#queueFlush();
  }

  /** Own proposals of a batch that was not taken, but for those that wait again already. */
  #putBack(batch: readonly Waiting[]): void {
    const queued = new Set(this.#waiting.map((item) => item.sequence));
    this.#waiting.unshift(...batch.filter((item) => this.#pendingOf(item) !== undefined && !queued.has(item.sequence)));
  }

  #retryLate(): void {
    const now = this.#runtime.now();
    const queued = new Set(this.#waiting.map((item) => item.sequence));
    for (const [sequence, pending] of this.#pending) {
      if (now > pending.deadline) {
        this.#drop(sequence, pending);
        pending.reject(new Fault('timedOut', 'no result came in time; it may have been taken or not'));
      } else if (pending.sends === 0 && now > pending.leaderlessUntil && this.#port.leader() === null) {
        this.#drop(sequence, pending);
        this.#waiting = this.#waiting.filter((item) => item.sequence !== sequence);
        pending.reject(new Fault('noLeader', 'no leader is known at this node: it was not taken'));
      } else if (now > pending.repeatAt && !queued.has(sequence)) {
        this.#waiting.push({ sequence, bytes: pending.bytes });
      }
    }
    if (this.#waiting.length > 0) this.#queueFlush();
  }
}
