import type { PersistRequest } from '../../raft/effects.ts';
import type { Configuration, Entry, Index, NodeId, Role, Term } from '../../raft/types.ts';
import { fingerprint } from './fingerprint.ts';
import type { LogImage } from './log-image.ts';
import type { Machine } from './machine.ts';
import { Reference } from './reference.ts';
import { ensure } from './violation.ts';

interface Seen {
  readonly term: Term;
  readonly commit: Index;
  readonly applied: Index;
  readonly stable: Index;
  readonly role: Role;
}

const NOTHING: Seen = { term: 0, commit: 0, applied: 0, stable: 0, role: 'follower' };

/**
 * What must hold after every event: the properties of the Raft paper's figure 3, the order of the indexes within each
 * node, and two that nobody in the cluster can see: what is committed is on the disks of a quorum, and so are the votes
 * of an elected leader.
 */
export class Invariants {
  readonly reference = new Reference();
  /** What each id's disk held last, also of machines that are gone for good. */
  readonly #logOf: (id: NodeId) => LogImage | null;
  readonly #leaders = new Map<Term, NodeId>();
  /** Log matching (§5.3): by index and term, the entry and the term before it. */
  readonly #entries = new Map<number, { readonly print: number; readonly prevTerm: Term | null }>();
  readonly #seen = new WeakMap<object, Seen>();

  constructor(logOf: (id: NodeId) => LogImage | null) {
    this.#logOf = logOf;
  }

  /** At once when a write is asked for. @param memory the log before it */
  asked(machine: Machine, { entries, truncateFrom, snapshot }: PersistRequest, memory: LogImage): void {
    const { id } = machine;
    for (const [position, entry] of entries.entries()) {
      const before = entry.index - 1;
      const base = snapshot?.index === before ? snapshot.term : memory.termAt(before);
      this.#checkEntry(id, entry, entries[position - 1]?.term ?? base);
      this.#checkChange(machine, entry, memory);
    }
    if (truncateFrom === null) return;
    for (let index = truncateFrom; index <= Math.min(memory.last, this.reference.last); index += 1) {
      const differs = memory.termAt(index) !== this.reference.termAt(index);
      ensure(differs, 'committed never changes', () => `${id} drops the committed entry ${index}`);
    }
  }

  /** After an event of this machine. */
  check(machine: Machine): void {
    const process = machine.running;
    const core = process?.replica?.consensus;
    if (process === null || core === undefined) return;
    const before = this.#seen.get(process) ?? NOTHING;
    const { term, commitIndex: commit, applied, role } = core;
    const { lastIndex: last, firstIndex: first, stableIndex: stable } = core;
    const written = machine.memory?.last ?? last;
    ensure(last === written, 'the log is what was written', () => `${machine.id} ends at ${last}, wrote to ${written}`);
    if (stable !== before.stable) this.#checkStable(machine, stable);
    if (
      stable === before.stable &&
      term === before.term &&
      commit === before.commit &&
      applied === before.applied &&
      role === before.role
    )
      return;
    const who = machine.id;
    ensure(term >= before.term, 'monotonic term', () => `${who}: from ${before.term} to ${term}`);
    ensure(commit >= before.commit, 'monotonic commit', () => `${who}: from ${before.commit} to ${commit}`);
    ensure(applied >= before.applied, 'monotonic applied', () => `${who}: from ${before.applied} to ${applied}`);
    const ordered = first - 1 <= commit && applied <= commit && commit <= last;
    ensure(
      ordered,
      'purged ≤ applied ≤ committed ≤ last',
      () => `${who}: ${first - 1}, ${applied}, ${commit}, ${last}`,
    );
    this.#seen.set(process, { term, commit, applied, stable, role });
    if (role === 'leader' && (before.role !== 'leader' || term !== before.term)) this.#checkElection(machine, term);
    if (commit > before.commit) {
      this.#checkCommit(machine, term, [before.commit, commit]);
      const own = role !== 'leader' || before.role !== 'leader' || machine.memory?.termAt(commit) === term;
      ensure(own, 'commit by counting', () => `${who} in term ${term} committed ${commit}, which is of an older one`);
    }
  }

  #checkEntry(who: NodeId, entry: Entry, prevTerm: Term | null): void {
    const key = entry.index * 2 ** 20 + entry.term;
    const print = fingerprint(entry);
    const known = this.#entries.get(key);
    if (known === undefined) this.#entries.set(key, { print, prevTerm });
    else {
      const same = known.print === print && known.prevTerm === prevTerm;
      ensure(same, 'log matching', () => `${who} holds another entry ${entry.index} of term ${entry.term}`);
    }
  }

  /** Leader completeness (§5.4) and election safety (§5.2). */
  #checkElection(machine: Machine, term: Term): void {
    const other = this.#leaders.get(term) ?? machine.id;
    this.#leaders.set(term, machine.id);
    ensure(other === machine.id, 'election safety', () => `${other} and ${machine.id} both lead term ${term}`);
    const memory = machine.memory;
    if (memory === null) return;
    for (let index = memory.base; index <= this.reference.last; index += 1) {
      // One that is elected late, when a newer leader commits already, need not know of that.
      if (this.reference.committedIn(index) > term) continue;
      const same = memory.termAt(index) === this.reference.termAt(index);
      ensure(
        same,
        'leader completeness',
        () => `${machine.id} leads term ${term} without the committed entry ${index}`,
      );
    }
    const configuration = machine.running?.replica?.consensus.configuration;
    if (configuration === undefined) return;
    const voted = this.#quorumOf(configuration, (log) => {
      const { term: durable, vote } = log.hardState;
      return durable > term || (durable === term && vote === machine.id);
    });
    ensure(voted, 'votes are durable', () => `${machine.id} leads term ${term} without votes on the disks of a quorum`);
  }

  /** The core must not take for durable what its disk does not hold. */
  #checkStable({ id, memory, disk }: Machine, stable: Index): void {
    if (memory === null || stable <= memory.base || stable <= disk.log.base) return;
    const same = disk.log.termAt(stable) === memory.termAt(stable);
    ensure(
      same,
      'durable is on the disk',
      () => `${id} takes ${stable} for durable, its disk has something else there`,
    );
  }

  /** One change at a time, and none before a commit in the leader's term (dissertation §4.1, the bug of 2015). */
  #checkChange({ id, replica }: Machine, entry: Entry, memory: LogImage): void {
    const core = replica?.consensus;
    if (entry.kind !== 'configuration' || core?.role !== 'leader' || core.term !== entry.term) return;
    const last = memory.entries.findLast(({ kind }) => kind === 'configuration')?.index ?? memory.base;
    ensure(last <= core.commitIndex, 'one change at a time', () => `${id} changes the members again at ${entry.index}`);
    const isFirst = last === 0;
    const knows = isFirst || memory.termAt(core.commitIndex) === entry.term;
    ensure(knows, 'no change before a commit in the term', () => `${id} changes the members at ${entry.index}`);
  }

  #checkCommit(machine: Machine, term: Term, [from, to]: readonly [Index, Index]): void {
    const { memory } = machine;
    if (memory === null) return;
    const configuration = machine.running?.replica?.consensus.configuration;
    for (let index = Math.max(from, memory.base) + 1; index <= to; index += 1) {
      const entry = memory.entryAt(index);
      ensure(entry !== undefined, 'committed is in the log', () => `${machine.id}: ${index}`);
      if (
        entry === undefined ||
        this.reference.commit(machine.id, term, entry) === 'known' ||
        configuration === undefined
      )
        continue;
      const held = this.#quorumOf(configuration, (log) => log.base >= index || log.termAt(index) === entry.term);
      ensure(held, 'committed is durable', () => `${machine.id} committed ${index}, no quorum has it on disk`);
    }
    const known =
      memory.base <= this.reference.last && memory.termAt(memory.base) === this.reference.termAt(memory.base);
    ensure(known, 'state machine safety', () => `${machine.id} begins behind a snapshot that was never committed`);
  }

  #quorumOf({ voters, outgoing }: Configuration, holds: (log: LogImage) => boolean): boolean {
    const isQuorum = (half: readonly NodeId[]): boolean => {
      const holding = half.filter((id) => {
        const log = this.#logOf(id);
        return log !== null && holds(log);
      });
      return holding.length > half.length / 2;
    };
    return isQuorum(voters) && (outgoing.length === 0 || isQuorum(outgoing));
  }
}
