import type { Effects, Refusal, RefusalReason } from './effects.ts';
import type { Entry, Index, Message, NodeId, RequestId, SnapshotMeta, Term } from './types.ts';

/** What one step asks the driver for, gathered while it runs. */
export class Outbox {
  readonly messages: Message[] = [];
  /** Promises and acknowledgements: they leave once what they speak of is durable. */
  readonly durableMessages: Message[] = [];
  readonly accepted: { readonly id: RequestId; readonly index: Index; readonly term: Term }[] = [];
  readonly refused: Refusal[] = [];
  readonly reads: { readonly id: RequestId; readonly index: Index }[] = [];
  readonly snapshots: { readonly to: NodeId; readonly term: Term }[] = [];
  readonly entries: Entry[] = [];
  truncateFrom: Index | null = null;
  snapshot: SnapshotMeta | null = null;
  restore: SnapshotMeta | null = null;

  get changesLog(): boolean {
    return this.entries.length > 0 || this.truncateFrom !== null || this.snapshot !== null;
  }

  refuse(id: RequestId, reason: RefusalReason, leader: NodeId | null): void {
    this.refused.push({ id, reason, leader });
  }

  effects(rest: Pick<Effects, 'persist' | 'committed' | 'roleChange'>): Effects {
    const { messages, accepted, refused, reads, snapshots, restore } = this;
    return { ...rest, messages, accepted, refused, reads, snapshots, restore };
  }
}
