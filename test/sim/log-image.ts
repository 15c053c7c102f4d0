import type { Entry, HardState, Index, SnapshotMeta, Term } from '../../raft/types.ts';
import { type LogWrite, planWrites } from '../../node/storage/log-plan.ts';

/** A log as a disk or a core's memory holds it. Writes go through the real store's planning, with its assertions. */
export class LogImage {
  hardState: HardState = { term: 0, vote: null, commit: 0 };
  snapshot: SnapshotMeta | null = null;
  entries: Entry[] = [];

  /** The last index that is no longer here. */
  get base(): Index {
    return this.snapshot?.index ?? 0;
  }

  get last(): Index {
    return this.base + this.entries.length;
  }

  entryAt(index: Index): Entry | undefined {
    return this.entries[index - this.base - 1];
  }

  /** Null where it does not reach. */
  termAt(index: Index): Term | null {
    if (index === this.base) return this.snapshot?.term ?? 0;
    return this.entryAt(index)?.term ?? null;
  }

  apply(writes: readonly LogWrite[]): void {
    const { hardState, snapshot, base, last } = this;
    const plan = planWrites({ hardState, snapshot, first: base + 1, last }, writes);
    if (plan.durable === 'dropped') this.entries = [];
    else if (plan.kept < last) this.entries.length = Math.max(plan.kept - base, 0);
    for (const entry of plan.entries) this.entries.push(entry);
    const begin = plan.durable === 'dropped' ? plan.kept + 1 : base + 1;
    if (plan.first > begin) this.entries = this.entries.slice(plan.first - begin);
    this.snapshot = plan.snapshot;
    this.hardState = plan.hardState;
  }

  copy(): LogImage {
    const copy = new LogImage();
    copy.hardState = this.hardState;
    copy.snapshot = this.snapshot;
    copy.entries = [...this.entries];
    return copy;
  }
}
