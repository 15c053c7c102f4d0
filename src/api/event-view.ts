import type { JobState } from '../jobs/job.ts';
import type { GroupView, MemberView, QueueView, RunnerView } from './views.ts';

export const EVENT_KINDS = ['job', 'group', 'queue', 'runner', 'member'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** What a job has come to, without its spec and its earlier attempts. */
export interface JobEventView {
  readonly id: string;
  readonly state: JobState;
  /** The state before; null for a new one. */
  readonly before: JobState | null;
  readonly name: string | null;
  readonly project: string;
  readonly queue: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly group: string | null;
  readonly parent: string | null;
  /** The last one; 0: there was none yet. */
  readonly attempt: number;
  /** Of that attempt. */
  readonly runner: string | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly reason: string | null;
}

/** One change of the replicated state, as it was then. Null in place of what is gone. */
export type EventView = {
  /** `INDEX.ORDINAL`: the entry of the log that changed it, and which of its changes this is. The same at every node. */
  readonly id: string;
  readonly at: string;
  /** The id, or the name of a queue, of what changed. */
  readonly subject: string;
} & (
  | { readonly kind: 'job'; readonly job: JobEventView | null }
  | { readonly kind: 'group'; readonly group: GroupView | null }
  | { readonly kind: 'queue'; readonly queue: Pick<QueueView, 'name' | 'weight' | 'paused' | 'strategy'> | null }
  | { readonly kind: 'runner'; readonly runner: Pick<RunnerView, 'id' | 'incarnation' | 'state'> | null }
  | {
      readonly kind: 'member';
      readonly member: Pick<MemberView, 'id' | 'addresses' | 'http' | 'version' | 'wish'> | null;
    }
);

/** Events between the two ids are not remembered at this node: what they told has to be read anew. */
export interface EventGap {
  readonly after: string;
  readonly resumed: string;
}

/** What a stream of events consists of. `alive`: up to this id there is nothing left to be told. */
export type FeedItem =
  | { readonly kind: 'event'; readonly event: EventView }
  | { readonly kind: 'gap'; readonly gap: EventGap }
  | { readonly kind: 'alive'; readonly id: string };
