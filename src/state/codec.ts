import { Packr } from 'msgpackr';
import { Fault, Rejection } from '../errors.ts';
import type { Job, Timestamp } from '../jobs/job.ts';
import { keptJob } from '../jobs/kept-job.ts';
import type { EntryPayload, Proposal } from './commands.ts';
import type { StateTable, StateTables } from './records.ts';
import { isProposal } from './shapes.ts';

/**
 * The bytes of the log's entries and of the state's records. A version stands first in each; one that is not known is
 * refused and never guessed at.
 *
 *     proposal   version u8 · MessagePack
 *     entry      version u8 · at f64 · count u32 · for each proposal: length u32 · its bytes     (big-endian)
 *     record     version u8 · MessagePack
 *
 * An entry only frames its proposals: a leader packs what other nodes encoded without looking inside.
 */
const PROPOSAL_VERSION = 1;
const ENTRY_VERSION = 1;
/** 2: a job is stored without its plan, which its spec gives. In 1 it stands there, and may lack what plans tell now. */
const RECORD_VERSION = 2;
const READABLE_RECORD_VERSIONS: readonly number[] = [1, RECORD_VERSION];

const AT_OFFSET = 1;
const COUNT_OFFSET = 9;
const HEADER_BYTES = 13;
const LENGTH_BYTES = 4;

/** Plain maps: any MessagePack reader reads them, and a message that was cut or changed defines no structures. */
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

export interface DecodedEntry extends EntryPayload {
  /** Proposals of another version, or that cannot be read: left out by every replica alike. */
  readonly malformed: number;
}

export function encodeProposal(proposal: Proposal): Uint8Array {
  return encode(PROPOSAL_VERSION, proposal);
}

/** @throws Rejection `wrongVersion`; Fault `corrupt` */
export function decodeProposal(bytes: Uint8Array): Proposal {
  const proposal = decode(PROPOSAL_VERSION, 'a proposal', bytes);
  if (!isProposal(proposal)) throw new Fault('corrupt', 'a proposal is malformed');
  return proposal;
}

/** @param proposals each as `encodeProposal` made it */
export function packEntry(at: Timestamp, proposals: readonly Uint8Array[]): Uint8Array {
  let length = HEADER_BYTES;
  for (const proposal of proposals) length += LENGTH_BYTES + proposal.length;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes[0] = ENTRY_VERSION;
  view.setFloat64(AT_OFFSET, at);
  view.setUint32(COUNT_OFFSET, proposals.length);
  let offset = HEADER_BYTES;
  for (const proposal of proposals) {
    view.setUint32(offset, proposal.length);
    bytes.set(proposal, offset + LENGTH_BYTES);
    offset += LENGTH_BYTES + proposal.length;
  }
  return bytes;
}

export function encodeEntry(entry: EntryPayload): Uint8Array {
  return packEntry(entry.at, entry.proposals.map(encodeProposal));
}

/** @throws Rejection `wrongVersion`; Fault `corrupt` when the framing is broken: the storage and the network check it */
export function decodeEntry(bytes: Uint8Array): DecodedEntry {
  expectVersion(ENTRY_VERSION, 'an entry', bytes);
  if (bytes.length < HEADER_BYTES) throw new Fault('corrupt', 'an entry of the log is too short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(COUNT_OFFSET);
  const proposals: Proposal[] = [];
  let offset = HEADER_BYTES;
  for (let i = 0; i < count; i += 1) {
    const start = offset + LENGTH_BYTES;
    if (start > bytes.length) throw new Fault('corrupt', 'an entry of the log is cut');
    offset = start + view.getUint32(offset);
    if (offset > bytes.length) throw new Fault('corrupt', 'an entry of the log is cut');
    const proposal = tryDecodeProposal(bytes.subarray(start, offset));
    if (proposal !== null) proposals.push(proposal);
  }
  if (offset !== bytes.length) throw new Fault('corrupt', 'an entry of the log has something behind its end');
  return { at: view.getFloat64(AT_OFFSET), proposals, malformed: count - proposals.length };
}

/** The value of one record of the state, as the storage keeps it. */
export function encodeRecord<Table extends StateTable>(table: Table, value: StateTables[Table]): Uint8Array {
  return encode(RECORD_VERSION, table === 'job' ? withoutPlan(value as Job) : value);
}

/** @throws Rejection `wrongVersion`; Fault `corrupt` */
export function decodeRecord<Table extends StateTable>(table: Table, bytes: Uint8Array): StateTables[Table] {
  const [version = RECORD_VERSION] = bytes;
  const readable = READABLE_RECORD_VERSIONS.includes(version) ? version : RECORD_VERSION;
  const value = decode(readable, `a record of the table ${table}`, bytes) as StateTables[Table];
  return table === 'job' ? (withPlan(value as Job) as StateTables[Table]) : value;
}

function withPlan(job: Job): Job {
  try {
    return keptJob(job);
  } catch (error) {
    throw new Fault('corrupt', 'a record of a job has no spec that can be planned', { cause: error });
  }
}

function withoutPlan({ plan: _, ...stored }: Job): object {
  return stored;
}

function tryDecodeProposal(bytes: Uint8Array): Proposal | null {
  try {
    return decodeProposal(bytes);
  } catch {
    return null;
  }
}

function encode(version: number, value: unknown): Uint8Array {
  const packed = packr.pack(value);
  const bytes = new Uint8Array(packed.length + 1);
  bytes[0] = version;
  bytes.set(packed, 1);
  return bytes;
}

function decode(version: number, what: string, bytes: Uint8Array): unknown {
  expectVersion(version, what, bytes);
  try {
    return packr.unpack(bytes.subarray(1));
  } catch (error) {
    throw new Fault('corrupt', `${what} cannot be read`, { cause: error });
  }
}

function expectVersion(version: number, what: string, bytes: Uint8Array): void {
  if (bytes.length === 0) throw new Fault('corrupt', `${what} is empty`);
  if (bytes[0] !== version) {
    throw new Rejection('wrongVersion', `${what} has the version ${bytes[0]}; this program reads ${version}`);
  }
}
