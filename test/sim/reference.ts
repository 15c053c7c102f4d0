import type { Entry, Index, Term } from '../../raft/types.ts';
import { apply } from '../../src/state/apply.ts';
import { decodeEntry } from '../../src/state/codec.ts';
import { checkInvariants } from '../../src/state/invariants.ts';
import { ClusterState } from '../../src/state/state.ts';
import { StateImage } from './state-image.ts';
import { ensure, Violation } from './violation.ts';
import { fingerprint } from './fingerprint.ts';

interface Committed {
  readonly term: Term;
  /** The term of who took it for committed first. */
  readonly committedIn: Term;
  readonly print: number;
  /** Of the state behind it. */
  readonly hash: number;
}

/** Entries between two looks at everything that the state derives. */
const CHECK_ENTRIES = 16;

/** What is committed, in its order, and a state machine of its own that has applied it: nobody may ever differ. */
export class Reference {
  readonly state = new ClusterState();
  readonly image = new StateImage();
  /** From index 1 on. */
  readonly #committed: Committed[] = [];

  get last(): Index {
    return this.#committed.length;
  }

  termAt(index: Index): Term | null {
    if (index === 0) return 0;
    return this.#committed[index - 1]?.term ?? null;
  }

  committedIn(index: Index): Term {
    return this.#committed[index - 1]?.committedIn ?? 0;
  }

  /** Takes an entry that somebody in this term took for committed. */
  commit(who: string, term: Term, entry: Entry): 'new' | 'known' {
    const known = this.#committed[entry.index - 1];
    if (known !== undefined) {
      const same = known.term === entry.term && known.print === fingerprint(entry);
      ensure(same, 'state machine safety', () => `${who} committed another entry at ${entry.index}`);
      return 'known';
    }
    ensure(entry.index === this.last + 1, 'committed in order', () => `${who} committed ${entry.index} before others`);
    this.#apply(entry);
    this.#committed.push({
      term: entry.term,
      committedIn: term,
      print: fingerprint(entry),
      hash: this.image.hash,
    });
    return 'new';
  }

  /** Whether a state with this hash is the one behind `index`. */
  check(who: string, index: Index, hash: number): void {
    const expected = index === 0 ? 0 : this.#committed[index - 1]?.hash;
    ensure(expected === hash, 'state machine safety', () => `${who} has another state at ${index}`);
  }

  #apply(entry: Entry): void {
    let changes: Parameters<StateImage['write']>[0] = [];
    try {
      if (entry.kind === 'data') changes = apply(this.state, decodeEntry(entry.data), entry.index).changes;
      if (entry.index % CHECK_ENTRIES === 0) checkInvariants(this.state);
    } catch (error) {
      throw new Violation('the domain', `entry ${entry.index}: ${String(error)}`, { cause: error });
    }
    this.image.write(changes, entry.index);
    this.image.flush();
  }
}
