import type { Configuration, Message, NodeId, SnapshotMeta } from '../../raft/types.ts';
import { unreachable } from '../../src/errors.ts';
import { decodeEntries, encodeEntries } from '../storage/block-codec.ts';
import { ByteReader, ByteWriter, MalformedRecord } from './byte-cursor.ts';

/**
 * Raft messages between nodes. Frame: version u8 · kind u8 · term · from · to · what the kind holds, in the order in
 * which `writeContent` writes it. A kind's number is never used again for another.
 */
const VERSION = 1;
const KIND_CODES = {
  requestVote: 1,
  requestVoteResponse: 2,
  appendEntries: 3,
  appendEntriesResponse: 4,
  heartbeat: 5,
  heartbeatResponse: 6,
  installSnapshot: 7,
  readIndex: 8,
  readIndexResponse: 9,
  timeoutNow: 10,
} as const satisfies Record<Message['kind'], number>;
const KINDS = new Map(Object.entries(KIND_CODES).map(([kind, code]) => [code as number, kind as Message['kind']]));

/** Enough for all kinds but those with entries or a configuration. */
const SMALL_MESSAGE_BYTES = 256;

export function encodeMessage(message: Message): Uint8Array {
  const entries = message.kind === 'appendEntries' ? encodeEntries(message.entries) : null;
  const writer = new ByteWriter(SMALL_MESSAGE_BYTES + (entries?.length ?? 0));
  writer.u8(VERSION).u8(KIND_CODES[message.kind]).number(message.term).text(message.from).text(message.to);
  writeContent(writer, message);
  if (entries !== null) writer.rest(entries);
  return writer.done();
}

/**
 * Null when it is malformed or of a version that this program does not know: the caller drops it and counts. Entries
 * are views into `frame`, which must not change any more.
 */
export function decodeMessage(frame: Uint8Array): Message | null {
  try {
    const reader = new ByteReader(frame);
    if (reader.u8() !== VERSION) return null;
    const kind = KINDS.get(reader.u8());
    if (kind === undefined) return null;
    const message = readContent(reader, kind, {
      term: reader.number(),
      from: reader.text() as NodeId,
      to: reader.text() as NodeId,
    });
    reader.end();
    return message;
  } catch {
    return null;
  }
}

function writeContent(writer: ByteWriter, message: Message): void {
  switch (message.kind) {
    case 'requestVote':
      writer.flag(message.phase === 'vote').flag(message.reason === 'transfer');
      writer.number(message.lastLogIndex).number(message.lastLogTerm);
      return;
    case 'requestVoteResponse':
      writer.flag(message.phase === 'vote').flag(message.granted);
      return;
    case 'appendEntries':
      writer.number(message.prevLogIndex).number(message.prevLogTerm).number(message.leaderCommit);
      writer.flag(message.session !== null).text(message.session ?? '');
      return;
    case 'appendEntriesResponse':
      writer.flag(message.success).number(message.index).number(message.hintIndex).number(message.hintTerm);
      writer.text(message.session);
      return;
    case 'heartbeat':
      writer.number(message.commit).number(message.readRound).number(message.sentTick);
      return;
    case 'heartbeatResponse':
      writer.number(message.readRound).number(message.sentTick).text(message.session).number(message.lastIndex);
      return;
    case 'installSnapshot':
      writeSnapshotMeta(writer, message.snapshot);
      return;
    case 'readIndex':
      writer.number(message.id).text(message.session);
      return;
    case 'readIndexResponse':
      writer
        .number(message.id)
        .text(message.session)
        .flag(message.index !== null)
        .number(message.index ?? 0);
      return;
    case 'timeoutNow':
      writer.number(message.expectedLastIndex);
      return;
    default:
      unreachable(message);
  }
}

/** The object literals below name their fields in the order of the bytes: they are evaluated in that order. */
function readContent(
  reader: ByteReader,
  kind: Message['kind'],
  envelope: { readonly term: number; readonly from: NodeId; readonly to: NodeId },
): Message {
  switch (kind) {
    case 'requestVote':
      return {
        kind,
        ...envelope,
        phase: reader.flag() ? 'vote' : 'preVote',
        reason: reader.flag() ? 'transfer' : 'timeout',
        lastLogIndex: reader.number(),
        lastLogTerm: reader.number(),
      };
    case 'requestVoteResponse':
      return { kind, ...envelope, phase: reader.flag() ? 'vote' : 'preVote', granted: reader.flag() };
    case 'appendEntries':
      return {
        kind,
        ...envelope,
        prevLogIndex: reader.number(),
        prevLogTerm: reader.number(),
        leaderCommit: reader.number(),
        session: readNullable(reader.flag(), reader.text()),
        entries: decodeEntries(reader.rest()),
      };
    case 'appendEntriesResponse':
      return {
        kind,
        ...envelope,
        success: reader.flag(),
        index: reader.number(),
        hintIndex: reader.number(),
        hintTerm: reader.number(),
        session: reader.text(),
      };
    case 'heartbeat':
      return {
        kind,
        ...envelope,
        commit: reader.number(),
        readRound: reader.number(),
        sentTick: reader.number(),
      };
    case 'heartbeatResponse':
      return {
        kind,
        ...envelope,
        readRound: reader.number(),
        sentTick: reader.number(),
        session: reader.text(),
        lastIndex: reader.number(),
      };
    case 'installSnapshot':
      return { kind, ...envelope, snapshot: readSnapshotMeta(reader) };
    case 'readIndex':
      return { kind, ...envelope, id: reader.number(), session: reader.text() };
    case 'readIndexResponse':
      return {
        kind,
        ...envelope,
        id: reader.number(),
        session: reader.text(),
        index: readNullable(reader.flag(), reader.number()),
      };
    case 'timeoutNow':
      return { kind, ...envelope, expectedLastIndex: reader.number() };
    default:
      return unreachable(kind);
  }
}

function readNullable<Value>(present: boolean, value: Value): Value | null {
  if (present) return value;
  if (value !== 0 && value !== '') throw new MalformedRecord('a value where none is');
  return null;
}

function writeSnapshotMeta(writer: ByteWriter, { index, term, configuration }: SnapshotMeta): void {
  writer.number(index).number(term);
  const { voters, outgoing, learners, learnersNext } = configuration;
  for (const nodes of [voters, outgoing, learners, learnersNext]) writer.texts(nodes);
}

function readSnapshotMeta(reader: ByteReader): SnapshotMeta {
  return { index: reader.number(), term: reader.number(), configuration: readConfiguration(reader) };
}

function readConfiguration(reader: ByteReader): Configuration {
  const nodes = (): readonly NodeId[] => reader.texts() as NodeId[];
  return { voters: nodes(), outgoing: nodes(), learners: nodes(), learnersNext: nodes() };
}
