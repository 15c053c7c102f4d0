import type { Effects } from '../../../raft/effects.ts';
import type { Entry, Index, NodeId, RequestId, Term } from '../../../raft/types.ts';
import type { Member } from './member.ts';

/** The properties of the paper's figure 3 and the freshness of reads, checked over all members at every step. */
export class Invariants {
  /** Election safety (§5.2): one leader a term. */
  readonly #leaders = new Map<Term, NodeId>();
  /** State machine safety (§5.4.3): what any node has given out to apply at an index is the same everywhere. */
  readonly #committed = new Map<Index, Entry>();
  /** Log matching (§5.3): an index and a term name one entry, and all before it are the same. */
  readonly #known = new Map<string, { readonly entry: Entry; readonly prevTerm: Term }>();
  /** What was committed anywhere when a read was asked for: no answer may stand before it (dissertation §6.4). */
  readonly #asked = new Map<string, Index>();
  #committedAnywhere: Index = 0;
  readonly #last = new Map<NodeId, { readonly term: Term; readonly commitIndex: Index; readonly applied: Index }>();

  /** Volatile state may go back when a node starts again. */
  forget(member: Member): void {
    this.#last.delete(member.id);
  }

  readAsked(member: Member, id: RequestId): void {
    this.#asked.set(`${member.session} ${id}`, this.#committedAnywhere);
  }

  check(member: Member, effects: Effects): void {
    this.#checkOrder(member);
    for (const { id, index } of effects.reads) this.#checkRead(member, id, index);
    for (const request of effects.persist) this.#checkLog(member, request.entries);
    for (const entry of effects.committed) this.#checkCommitted(member, entry);
    if (effects.roleChange?.role === 'leader') this.#checkElection(member);
  }

  /** The state machine's content at an index, as a snapshot of it holds. */
  stateAt(index: Index): Map<Index, Entry> {
    return new Map([...this.#committed].filter(([at]) => at <= index).toSorted(([left], [right]) => left - right));
  }

  get committedCount(): number {
    return this.#committed.size;
  }

  #checkOrder({ id, raft }: Member): void {
    const { term, commitIndex, applied, lastIndex, firstIndex } = raft;
    const last = this.#last.get(id) ?? { term: 0, commitIndex: 0, applied: 0 };
    ensure(term >= last.term, `${id}: the term went from ${last.term} to ${term}`);
    ensure(commitIndex >= last.commitIndex, `${id}: the commit went from ${last.commitIndex} to ${commitIndex}`);
    ensure(applied >= last.applied, `${id}: applied went from ${last.applied} to ${applied}`);
    ensure(applied <= commitIndex && commitIndex <= lastIndex, `${id}: applied ≤ commit ≤ last is broken`);
    ensure(firstIndex - 1 <= commitIndex, `${id}: compacted beyond the commit`);
    this.#last.set(id, { term, commitIndex, applied });
    this.#committedAnywhere = Math.max(this.#committedAnywhere, commitIndex);
  }

  #checkRead(member: Member, id: RequestId, index: Index): void {
    const least = this.#asked.get(`${member.session} ${id}`) ?? 0;
    ensure(index >= least, `${member.id}: read ${id} at ${index}, but ${least} was committed when it was asked for`);
  }

  #checkLog({ id, memory }: Member, written: readonly Entry[]): void {
    for (const entry of written) {
      const before = memory.entryAt(entry.index - 1)?.term;
      const prevTerm = before ?? (memory.baseIndex === entry.index - 1 ? (memory.snapshot?.term ?? 0) : -1);
      const key = `${entry.index} ${entry.term}`;
      const known = this.#known.get(key) ?? { entry, prevTerm };
      this.#known.set(key, known);
      ensure(sameEntry(known.entry, entry), `${id}: another entry at ${key}`);
      ensure(known.prevTerm === prevTerm, `${id}: the entry before ${key} has term ${prevTerm}, not ${known.prevTerm}`);
    }
  }

  #checkCommitted({ id, durable }: Member, entry: Entry): void {
    const known = this.#committed.get(entry.index) ?? entry;
    this.#committed.set(entry.index, known);
    ensure(sameEntry(known, entry), `${id}: committed another entry at ${entry.index}`);
    const onDisk = durable.entryAt(entry.index);
    ensure(onDisk !== undefined && sameEntry(onDisk, entry), `${id}: entry ${entry.index} is not on its own disk`);
  }

  /** Leader completeness (§5.4): a leader's log holds everything that was committed before. */
  #checkElection({ id, raft, memory }: Member): void {
    const other = this.#leaders.get(raft.term) ?? id;
    this.#leaders.set(raft.term, other);
    ensure(other === id, `${other} and ${id} both lead term ${raft.term}`);
    for (const [index, entry] of this.#committed) {
      if (index <= memory.baseIndex) continue;
      ensure(memory.entryAt(index)?.term === entry.term, `${id} leads without the committed entry ${index}`);
    }
  }
}

function sameEntry(left: Entry, right: Entry): boolean {
  if (left.term !== right.term || left.index !== right.index || left.kind !== right.kind) return false;
  if (left.kind !== 'data' || right.kind !== 'data') return true;
  return left.data.length === right.data.length && left.data.every((byte, position) => byte === right.data[position]);
}

function ensure(holds: boolean, message: string): void {
  if (!holds) throw new Error(`invariant broken: ${message}`);
}
