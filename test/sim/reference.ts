import type { Entry, Index, Term } from '../../raft/types.ts';
import { apply, type AppliedEntry } from '../../src/state/apply.ts';
import { decodeEntry } from '../../src/state/codec.ts';
import { checkInvariants } from '../../src/state/invariants.ts';
import type { StateRecord } from '../../src/state/records.ts';
import type { JobId } from '../../src/ids.ts';
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
  /** Every job that ever was, with the keys that they were taken under. */
  readonly #jobs = new Map<string, JobId>();
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

  /** The job of an idempotency key, or of a submission without one under `job:` and its id. */
  jobOf(key: string): JobId | null {
    return this.#jobs.get(key) ?? null;
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
    let changes: readonly StateRecord[] = [];
    try {
      if (entry.kind === 'data') {
        const applied = apply(this.state, decodeEntry(entry.data), entry.index);
        changes = applied.changes;
        this.#note(applied);
      }
      if (entry.index % CHECK_ENTRIES === 0) checkInvariants(this.state);
    } catch (error) {
      if (error instanceof Violation) throw error;
      throw new Violation('the domain', `entry ${entry.index}: ${String(error)}`, { cause: error });
    }
    this.image.write(changes, entry.index);
    this.image.flush();
  }

  #note({ changes, events }: AppliedEntry): void {
    for (const event of events) {
      if (event.kind !== 'job' || event.before !== null) continue;
      const key = `job:${event.job.id}`;
      ensure(!this.#jobs.has(key), 'a proposal has one effect', () => `${event.job.id} was submitted again`);
      this.#jobs.set(key, event.job.id);
    }
    for (const { table, key, value } of changes) {
      if (table !== 'idempotency' || value === null || !('job' in value)) continue;
      this.#jobs.set(key.slice(key.indexOf('\0') + 1), value.job);
    }
  }
}
