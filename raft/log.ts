import { assert } from './assert.ts';
import type { Configuration, Entry, Index, SnapshotMeta, Term } from './types.ts';

/** What an entry costs besides its data, so that any number of empty ones is bounded too. */
const ENTRY_OVERHEAD_BYTES = 32;
const MEMBER_BYTES = 64;

export function entryBytes(entry: Entry): number {
  switch (entry.kind) {
    case 'data':
      return ENTRY_OVERHEAD_BYTES + entry.data.length;
    case 'noop':
      return ENTRY_OVERHEAD_BYTES;
    case 'configuration': {
      const { voters, outgoing, learners, learnersNext } = entry.configuration;
      const members = voters.length + outgoing.length + learners.length + learnersNext.length;
      return ENTRY_OVERHEAD_BYTES + MEMBER_BYTES * members;
    }
  }
}

/**
 * Consecutive entries of one term; there are few, so that searching by term does not walk the entries. The first run
 * may begin before the base.
 */
interface TermRun {
  readonly term: Term;
  readonly first: Index;
}

interface ConfigurationRecord {
  readonly index: Index;
  readonly configuration: Configuration;
}

/** The log behind the last compaction, in memory, whether durable yet or not. */
export class RaftLog {
  #baseIndex: Index;
  #baseTerm: Term;
  #entries: Entry[] = [];
  #runs: TermRun[] = [];
  /** In index order; the first one is in force at the base. */
  #configurations: ConfigurationRecord[];
  #bytes = 0;

  constructor(base: SnapshotMeta, entries: readonly Entry[]) {
    this.#baseIndex = base.index;
    this.#baseTerm = base.term;
    this.#configurations = [{ index: base.index, configuration: base.configuration }];
    this.append(entries);
  }

  /** The last index that is no longer here; its term is still known. */
  get baseIndex(): Index {
    return this.#baseIndex;
  }

  get firstIndex(): Index {
    return this.#baseIndex + 1;
  }

  get lastIndex(): Index {
    return this.#baseIndex + this.#entries.length;
  }

  get lastTerm(): Term {
    return this.#runs.at(-1)?.term ?? this.#baseTerm;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The newest one in the log, committed or not: it counts from the moment it is appended (paper §6). */
  get configuration(): Configuration {
    return this.#lastRecord.configuration;
  }

  get configurationIndex(): Index {
    return this.#lastRecord.index;
  }

  get #lastRecord(): ConfigurationRecord {
    const record = this.#configurations.at(-1);
    assert(record !== undefined, 'a configuration is always in force');
    return record;
  }

  /** Null where the log does not reach: compacted away or not there yet. */
  termAt(index: Index): Term | null {
    if (index === this.#baseIndex) return this.#baseTerm;
    return this.#entries[index - this.#baseIndex - 1]?.term ?? null;
  }

  matches(index: Index, term: Term): boolean {
    return this.termAt(index) === term;
  }

  /** Whether a candidate's log is at least as up to date as this one (paper §5.4.1). */
  isCoveredBy(lastLogIndex: Index, lastLogTerm: Term): boolean {
    if (lastLogTerm !== this.lastTerm) return lastLogTerm > this.lastTerm;
    return lastLogIndex >= this.lastIndex;
  }

  entryAt(index: Index): Entry {
    const entry = this.#entries[index - this.#baseIndex - 1];
    assert(entry !== undefined, 'the entry is in the log');
    return entry;
  }

  /** From `from` to `to`, cut where `maxBytes` would be passed, but at least one. */
  slice(from: Index, to: Index, maxBytes: number): Entry[] {
    const taken: Entry[] = [];
    let bytes = 0;
    for (let index = from; index <= to; index += 1) {
      const entry = this.entryAt(index);
      bytes += entryBytes(entry);
      if (taken.length > 0 && bytes > maxBytes) break;
      taken.push(entry);
    }
    return taken;
  }

  /**
   * The last index up to `index` whose term is at most `term`: where two logs that differ at `index` may still agree
   * (paper §5.3, the optimisation at its end). Never before the base.
   */
  lastIndexWithTermAtMost(index: Index, term: Term): Index {
    let end = Math.min(index, this.lastIndex);
    for (let i = this.#runs.length - 1; i >= 0; i -= 1) {
      const run = this.#runs[i];
      if (run === undefined || run.first > end) continue;
      if (run.term <= term) return end;
      end = Math.max(run.first - 1, this.#baseIndex);
    }
    return end;
  }

  configurationAt(index: Index): Configuration {
    const record = this.#configurations.findLast((candidate) => candidate.index <= index);
    assert(record !== undefined, 'the configuration at a compacted index is not known');
    return record.configuration;
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, 'the log has no gaps');
      assert(entry.term >= this.lastTerm, 'terms in the log never go back');
      if (this.#runs.at(-1)?.term !== entry.term) this.#runs.push({ term: entry.term, first: entry.index });
      if (entry.kind === 'configuration') this.#configurations.push(entry);
      this.#entries.push(entry);
      this.#bytes += entryBytes(entry);
    }
  }

  truncateFrom(index: Index): void {
    assert(index > this.#baseIndex, 'what was compacted is never truncated');
    for (let last = this.lastIndex; last >= index; last -= 1) this.#bytes -= entryBytes(this.entryAt(last));
    this.#entries.length = index - this.#baseIndex - 1;
    this.#runs = this.#runs.filter((run) => run.first < index);
    this.#configurations = this.#configurations.filter((record, position) => position === 0 || record.index < index);
  }

  compact(index: Index): void {
    const term = this.termAt(index);
    assert(term !== null, 'only what is in the log can be compacted');
    const configuration = this.#configurations.findLast((record) => record.index <= index);
    assert(configuration !== undefined, 'a configuration is always in force');
    for (let first = this.firstIndex; first <= index; first += 1) this.#bytes -= entryBytes(this.entryAt(first));
    this.#entries = this.#entries.slice(index - this.#baseIndex);
    const cut = this.#runs.findLastIndex((run) => run.first <= index + 1);
    this.#runs = this.#runs.slice(Math.max(cut, 0));
    this.#configurations = [configuration, ...this.#configurations.filter((record) => record.index > index)];
    this.#baseIndex = index;
    this.#baseTerm = term;
  }

  /** Begins anew behind a snapshot; everything that was here is dropped (paper §7). */
  restore(snapshot: SnapshotMeta): void {
    this.#baseIndex = snapshot.index;
    this.#baseTerm = snapshot.term;
    this.#entries = [];
    this.#runs = [];
    this.#configurations = [{ index: snapshot.index, configuration: snapshot.configuration }];
    this.#bytes = 0;
  }
}
