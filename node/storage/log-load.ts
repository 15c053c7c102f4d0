import { Fault } from '../../src/errors.ts';
import type { Configuration, Entry, Index, SnapshotMeta } from '../../raft/types.ts';
import { decodeBlock } from './block-codec.ts';
import type { Database } from './database.ts';
import type { Head } from './log-layout.ts';
import {
  BLOCKS_END,
  CONFIGURATIONS_END,
  CONFIGURATIONS_START,
  EMPTY_HEAD,
  HEAD_KEY,
  SNAPSHOT_KEY,
  blockKey,
  configurationKey,
  decodeHead,
  decodeSnapshot,
  encodeConfigurationRecord,
  indexOfKey,
} from './log-layout.ts';
import type { Ballot } from './vote-file.ts';

export interface Block {
  readonly first: Index;
  readonly last: Index;
  readonly sequence: number;
  readonly bytes: number;
}

export interface LoadedLog {
  readonly head: Head;
  readonly snapshot: SnapshotMeta | null;
  readonly entries: readonly Entry[];
  readonly blocks: Block[];
  readonly configurations: readonly Index[];
  /** Blocks before the log that were to be removed when the node stopped. */
  readonly unpurged: readonly { readonly first: Index; readonly bytes: number }[];
}

const READ_ROWS = 256;
const READ_BYTES = 1024 * 1024;

/**
 * Reads the whole log and checks that it is what was last synced, as far as it can be known: LevelDB opens in silence
 * after it passed over damaged records. @throws Fault `corrupt`
 */
export async function loadLog(database: Database<Uint8Array>, ballot: Ballot | null): Promise<LoadedLog> {
  const stored = await database.get(HEAD_KEY);
  if (stored === undefined) return freshLog(database, ballot);
  const head = decodeHead(stored);
  checkBallot(head, ballot);
  const snapshot = await loadSnapshot(database, head);
  const { entries, blocks } = await loadBlocks(database, head);
  checkEntries(head, entries);
  const configurations = await loadConfigurations(database, entries);
  return { head, snapshot, entries, blocks, configurations, unpurged: await findUnpurged(database, head) };
}

async function freshLog(database: Database<Uint8Array>, ballot: Ballot | null): Promise<LoadedLog> {
  if (ballot !== null && ballot.term > 0) damaged(`it is empty, but this node has voted in term ${ballot.term}`);
  for await (const _ of database.keys({ limit: 1 })) damaged('its head is gone');
  return { head: EMPTY_HEAD, snapshot: null, entries: [], blocks: [], configurations: [], unpurged: [] };
}

/** The file is written behind the database: it may be older by one write, never newer. */
function checkBallot(head: Head, ballot: Ballot | null): void {
  if (ballot === null) return damaged('its vote file is gone');
  if (ballot.term > head.term) damaged(`it ends in term ${head.term}, but this node has seen term ${ballot.term}`);
  if (ballot.term === head.term && ballot.vote !== null && ballot.vote !== head.vote) {
    damaged(`it has lost this node's vote in term ${head.term}`);
  }
}

async function loadSnapshot(database: Database<Uint8Array>, head: Head): Promise<SnapshotMeta | null> {
  const stored = await database.get(SNAPSHOT_KEY);
  const snapshot = stored === undefined ? null : decodeSnapshot(stored);
  if ((snapshot?.index ?? 0) !== head.first - 1) damaged(`it begins at ${head.first}, but not behind its snapshot`);
  return snapshot;
}

async function loadBlocks(database: Database<Uint8Array>, head: Head): Promise<{ entries: Entry[]; blocks: Block[] }> {
  const entries: Entry[] = [];
  const blocks: Block[] = [];
  let before: Block | null = null;
  for await (const [key, value] of rows(database, blockKey(head.firstBlock), BLOCKS_END)) {
    const block = readBlock(key, value, before);
    for (const entry of block.entries) if (entry.index >= head.first) entries.push(entry);
    before = { first: block.first, last: block.last, sequence: block.sequence, bytes: value.length };
    blocks.push(before);
  }
  if ((before?.last ?? head.first - 1) !== head.last) {
    damaged(`it should end at ${head.last}, but ends at ${before?.last ?? head.first - 1}`);
  }
  if ((before?.sequence ?? 0) !== head.lastSequence) damaged(`its last block is not the one that was written last`);
  if (before !== null && blocks[0]?.first !== head.firstBlock) damaged(`its first block is gone`);
  return { entries, blocks };
}

function readBlock(key: Uint8Array, value: Uint8Array, before: Block | null) {
  const { entries, sequence, previous } = decodeBlock(value);
  const first = indexOfKey(key);
  const last = first + entries.length - 1;
  if (entries.length === 0 || entries[0]?.index !== first) damaged(`its block at ${first} holds something else`);
  if (before !== null && first !== before.last + 1) {
    damaged(`behind entry ${before.last} comes entry ${first}`);
  }
  if (before !== null && previous !== before.sequence) {
    damaged(`entries ${before.first} to ${before.last} are not the ones that entry ${first} was written behind`);
  }
  return { entries, first, last, sequence };
}

function checkEntries(head: Head, entries: readonly Entry[]): void {
  let term = 0;
  for (const entry of entries) {
    if (entry.term < term || entry.term > head.term) damaged(`entry ${entry.index} has term ${entry.term}`);
    term = entry.term;
  }
  if (head.commit > head.last) damaged(`it ends at ${head.last}, but ${head.commit} was committed`);
}

async function loadConfigurations(database: Database<Uint8Array>, entries: readonly Entry[]): Promise<Index[]> {
  const expected = new Map<Index, Configuration>();
  for (const entry of entries) if (entry.kind === 'configuration') expected.set(entry.index, entry.configuration);
  for (const [index, configuration] of expected) {
    const stored = await database.get(configurationKey(index));
    if (stored === undefined || Buffer.compare(stored, encodeConfigurationRecord(configuration)) !== 0) {
      damaged(`the record of the configuration at ${index} does not agree with its entry`);
    }
  }
  let found = 0;
  for await (const _ of database.keys({ gte: CONFIGURATIONS_START, lt: CONFIGURATIONS_END })) found++;
  if (found !== expected.size) damaged('it has records of configurations that are not in its entries');
  return [...expected.keys()];
}

async function findUnpurged(database: Database<Uint8Array>, head: Head): Promise<LoadedLog['unpurged']> {
  if (head.purgeFrom >= head.firstBlock) return [];
  const keys = await database.keys({ gte: blockKey(head.purgeFrom), lt: blockKey(head.firstBlock) }).all();
  return keys.map((key) => ({ first: indexOfKey(key), bytes: 0 }));
}

async function* rows(database: Database<Uint8Array>, from: Uint8Array, to: Uint8Array) {
  const iterator = database.iterator({ gte: from, lt: to, fillCache: false, highWaterMarkBytes: READ_BYTES });
  try {
    for (let batch = await iterator.nextv(READ_ROWS); batch.length > 0; batch = await iterator.nextv(READ_ROWS))
      yield* batch;
  } finally {
    await iterator.close();
  }
}

function damaged(what: string): never {
  throw new Fault('corrupt', `the log is damaged: ${what}`);
}
