import { assert } from '../../src/errors.ts';
import type { Entry, Index, SnapshotMeta } from '../../raft/types.ts';
import { decodeBlock, encodeBlock, entryBytes } from './block-codec.ts';
import type { Database } from './database.ts';
import type { Head } from './log-layout.ts';
import {
  HEAD_KEY,
  SNAPSHOT_KEY,
  blockKey,
  configurationKey,
  encodeConfigurationRecord,
  encodeHead,
  encodeSnapshot,
} from './log-layout.ts';
import type { Block } from './log-load.ts';
import type { LogPlan } from './log-plan.ts';

/** What is on disk, in outline. `blocks` grows and shrinks in place, since it may be long. */
export interface Log {
  readonly head: Head;
  readonly snapshot: SnapshotMeta | null;
  /** In order; the first holds `head.first`. */
  readonly blocks: Block[];
  /** Where the log holds configurations. */
  readonly configurations: readonly Index[];
}

export type Operation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

export interface LogChange {
  /** One batch. */
  readonly operations: readonly Operation[];
  readonly head: Head;
  readonly snapshot: SnapshotMeta | null;
  readonly configurations: readonly Index[];
  /** How many of the blocks stay, from the first on, and which come behind them. */
  readonly staying: number;
  readonly written: readonly Block[];
  readonly entries: number;
  readonly bytes: number;
}

export const BLOCK_ENTRIES = 128;
export const BLOCK_BYTES = 256 * 1024;

/**
 * Turns a plan into the batch that makes it so; null when there is nothing to write.
 * @param unpurged the first index of the oldest block that waits for its removal, null for none
 */
export async function buildChange(
  database: Database<Uint8Array>,
  log: Log,
  plan: LogPlan,
  unpurged: Index | null,
): Promise<LogChange | null> {
  if (isNothing(log, plan)) return null;
  const { staying, cut } = divide(log, plan);
  const entries = [...(cut === null ? [] : await entriesOf(database, cut, plan.kept)), ...plan.entries];
  const packed = packBlocks(entries, log.head.nextSequence, log.blocks[staying - 1]?.sequence ?? 0);
  const written = packed.map(({ block }) => block);
  const configurations = configurationChanges(log, plan);
  const head = headOf(log, plan, { staying, written, unpurged });
  const operations: Operation[] = [
    ...removedBlocks(log, plan, staying),
    ...configurations.operations,
    ...packed.map(({ block, value }) => ({ type: 'put', key: blockKey(block.first), value }) as const),
    { type: 'put', key: HEAD_KEY, value: encodeHead(head) },
  ];
  if (plan.snapshot !== null && plan.snapshot !== log.snapshot) {
    operations.push({ type: 'put', key: SNAPSHOT_KEY, value: encodeSnapshot(plan.snapshot) });
  }
  return {
    operations,
    head,
    snapshot: plan.snapshot,
    configurations: configurations.indexes,
    staying,
    written,
    entries: plan.entries.length,
    bytes: packed.reduce((sum, { value }) => sum + value.length, 0),
  };
}

/** The outline once the change is written, and the blocks that lie before the log now: to be removed at leisure. */
export function settle(log: Log, change: LogChange): { readonly log: Log; readonly purged: readonly Block[] } {
  const { head, snapshot, configurations } = change;
  const { blocks } = log;
  const purged = blocks.splice(change.staying).filter(({ first }) => first < head.firstBlock);
  for (const block of change.written) blocks.push(block);
  const behind = blocks.findIndex(({ last }) => last >= head.first);
  purged.unshift(...blocks.splice(0, behind === -1 ? blocks.length : behind));
  return { log: { head, snapshot, blocks, configurations }, purged };
}

function isNothing({ head, snapshot }: Log, plan: LogPlan): boolean {
  const { term, vote, commit } = plan.hardState;
  return (
    plan.entries.length === 0 &&
    plan.durable === 'kept' &&
    plan.kept === head.last &&
    plan.snapshot === snapshot &&
    term === head.term &&
    vote === head.vote &&
    commit === head.commit
  );
}

/** `cut`: the block that a truncation goes through; it is written anew under the same key. */
function divide({ blocks, head }: Log, plan: LogPlan): { staying: number; cut: Block | null } {
  if (plan.durable === 'dropped') return { staying: 0, cut: null };
  if (plan.kept >= head.last) return { staying: blocks.length, cut: null };
  const staying = blocks.findLastIndex(({ last }) => last <= plan.kept) + 1;
  const next = blocks[staying];
  return { staying, cut: next !== undefined && next.first <= plan.kept ? next : null };
}

/** Blocks behind `kept` must go in the same batch. What a replaced log leaves before its new beginning need not. */
function removedBlocks({ blocks }: Log, plan: LogPlan, staying: number): readonly Operation[] {
  const removed: Operation[] = [];
  for (let at = staying; at < blocks.length; at++) {
    const first = blocks[at]?.first ?? 0;
    if (first > plan.kept) removed.push({ type: 'del', key: blockKey(first) });
  }
  return removed;
}

async function entriesOf(database: Database<Uint8Array>, block: Block, through: Index): Promise<readonly Entry[]> {
  const value = await database.get(blockKey(block.first));
  assert(value !== undefined, 'a block of the log is on disk');
  return decodeBlock(value).entries.filter(({ index }) => index <= through);
}

interface WrittenBlock {
  readonly block: Block;
  readonly value: Uint8Array;
}

function packBlocks(entries: readonly Entry[], nextSequence: number, previous: number): readonly WrittenBlock[] {
  const written: WrittenBlock[] = [];
  let before = previous;
  let sequence = nextSequence;
  for (let start = 0; start < entries.length;) {
    const end = endOfBlock(entries, start);
    const packed = entries.slice(start, end);
    const value = encodeBlock(packed, { sequence, previous: before });
    const first = packed[0]?.index ?? 0;
    written.push({ block: { first, last: first + packed.length - 1, sequence, bytes: value.length }, value });
    before = sequence++;
    start = end;
  }
  return written;
}

/** At least one entry, however large. */
function endOfBlock(entries: readonly Entry[], start: number): number {
  let bytes = 0;
  let end = start;
  for (; end < entries.length && end - start < BLOCK_ENTRIES; end++) {
    const entry = entries[end];
    if (entry !== undefined) bytes += entryBytes(entry);
    if (bytes > BLOCK_BYTES && end > start) break;
  }
  return end;
}

interface Blocks {
  readonly staying: number;
  readonly written: readonly Block[];
  readonly unpurged: Index | null;
}

function headOf({ head, blocks }: Log, plan: LogPlan, { staying, written, unpurged }: Blocks): Head {
  const { term, vote, commit } = plan.hardState;
  const holdsFirst = ({ last }: Block) => last >= plan.first;
  const front = blocks.findIndex(holdsFirst);
  const frontStays = front !== -1 && front < staying;
  const firstBlock = (frontStays ? blocks[front] : written.find(holdsFirst))?.first ?? plan.first;
  const last = plan.kept + plan.entries.length;
  const tail = written.at(-1) ?? blocks[staying - 1];
  return {
    term,
    vote,
    commit,
    first: plan.first,
    last,
    firstBlock,
    purgeFrom: Math.min(unpurged ?? firstBlock, blocks[0]?.first ?? firstBlock, firstBlock),
    lastSequence: last < plan.first ? 0 : (tail?.sequence ?? 0),
    nextSequence: head.nextSequence + written.length,
  };
}

function configurationChanges(
  log: Log,
  plan: LogPlan,
): { indexes: readonly Index[]; operations: readonly Operation[] } {
  const operations: Operation[] = [];
  const indexes: Index[] = [];
  for (const index of log.configurations) {
    if (plan.durable === 'kept' && index <= plan.kept && index >= plan.first) indexes.push(index);
    else operations.push({ type: 'del', key: configurationKey(index) });
  }
  for (const entry of plan.entries) {
    if (entry.kind !== 'configuration' || entry.index < plan.first) continue;
    indexes.push(entry.index);
    const value = encodeConfigurationRecord(entry.configuration);
    operations.push({ type: 'put', key: configurationKey(entry.index), value });
  }
  return { indexes, operations };
}
