import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { z } from 'zod';
import { describe, expect, test } from 'vitest';
import { decodeDispatchAnswer, encodeDispatch } from '../../node/dispatch-messages.ts';
import {
  decodeBulk,
  decodeHead as decodeBlobHead,
  encodeBulk,
  encodeHead as encodeBlobHead,
} from '../../node/blobs/bulk-messages.ts';
import { decodeLogPieces, decodeOpen, encodeLogPiece, encodeOpen } from '../../node/open-messages.ts';
import { decodeError, encodeError } from '../../node/p2p/error-codec.ts';
import { decodeJoinToken, encodeJoinToken, JOIN_TOKEN_PREFIX } from '../../node/p2p/join-token.ts';
import { decodeMessage, encodeMessage } from '../../node/p2p/raft-codec.ts';
import {
  decodeControlAnswer,
  decodeControlRequest,
  decodeSnapshotMeta,
  encodeControl,
  encodeSnapshotMeta,
} from '../../node/replica/control-messages.ts';
import { type BackupHead, encodeBackup, readBackup } from '../../node/storage/backup-codec.ts';
import { decodeBlock, decodeEntries, encodeBlock, encodeEntries } from '../../node/storage/block-codec.ts';
import { encodeDump, readDump } from '../../node/storage/dump-codec.ts';
import { decodeHead, decodeSnapshot, EMPTY_HEAD, encodeHead, encodeSnapshot } from '../../node/storage/log-layout.ts';
import { seal, unseal } from '../../node/storage/sealed.ts';
import type { Row } from '../../node/storage/state-database.ts';
import type { NodeId } from '../../raft/types.ts';
import { SYSTEM } from '../../src/auth.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import type { TokenId } from '../../src/ids.ts';
import {
  decodeEntry,
  decodeProposal,
  decodeRecord,
  encodeEntry,
  encodeProposal,
  encodeRecord,
} from '../../src/state/codec.ts';
import { jobId, job } from './storage/state-builders.ts';
import { configuration, data, meta } from './storage/log-builders.ts';

/** Replays a run: QUORATE_FUZZ_SEED=N. */
const SEED = Number(process.env['QUORATE_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
console.log(`the decoders are fuzzed with QUORATE_FUZZ_SEED=${SEED}`);
const RUNS = 400;
/** What a decoder may hold for input of a few hundred bytes: far below what a length field could ask for. */
const EXTRA_BYTES_MAX = 16 * 1024 * 1024;

interface Codec {
  readonly name: string;
  /** Bytes as the encoder makes them. */
  readonly sample: Uint8Array;
  decode(bytes: Uint8Array): unknown;
  /** Puts the checksum right, so that what lies behind it is reached. */
  mend?(bytes: Buffer): Uint8Array;
}

const NODE = 'node-a' as NodeId;
const entries = [data(7), { kind: 'noop', index: 8, term: 2 } as const, changeAt(9)];
function changeAt(index: number) {
  return { kind: 'configuration', index, term: 2, configuration: configuration('a', 'b') } as const;
}
const proposal = {
  principal: SYSTEM,
  origin: 'o',
  sequence: 1,
  commands: [{ kind: 'cancel', job: jobId(1), mode: 'any' } as const, { kind: 'clock' } as const],
};
const joinToken = encodeJoinToken({
  clusterId: 'c',
  key: Buffer.alloc(32, 7),
  addresses: ['127.0.0.1:8751'],
  id: 'i' as TokenId,
  secret: 's',
  expiresAt: 1,
});
const head: BackupHead = { clusterId: 'c', node: 'n', version: '1', madeAt: '2030-01-01T00:00:00Z', snapshot: meta(9) };

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

async function* rows(): AsyncGenerator<Row> {
  for (let at = 0; at < 5; at++) yield [`j${jobId(at)}`, Buffer.from(`value ${at}`)];
}

/** Cut anywhere, as a network does. */
async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
}

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

const crcOverRest = (bytes: Buffer): Uint8Array => {
  if (bytes.length >= 5) bytes.writeUInt32LE(crc32(bytes.subarray(5)), 1);
  return bytes;
};

const dump = await bytesOf(encodeDump(9, rows()));
const CODECS: readonly Codec[] = [
  { name: 'entries', sample: encodeEntries(entries), decode: decodeEntries },
  {
    name: 'a block of the log',
    sample: encodeBlock(entries, { sequence: 3, previous: 2 }),
    decode: decodeBlock,
    mend: crcOverRest,
  },
  { name: "the log's head", sample: encodeHead(EMPTY_HEAD), decode: decodeHead, mend: crcOverRest },
  { name: "the log's snapshot record", sample: encodeSnapshot(meta(3)), decode: decodeSnapshot, mend: crcOverRest },
  {
    name: 'a sealed record',
    sample: seal({ term: 3, vote: 'x' }),
    decode: (bytes) => unseal(bytes, z.strictObject({ term: z.int(), vote: z.string() }), 'it'),
    mend: crcOverRest,
  },
  {
    name: 'a snapshot',
    sample: dump,
    decode: async (bytes) => drain((await readDump(inPieces(bytes))).frames),
    mend: (bytes) => {
      if (bytes.length >= 4) bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
      return bytes;
    },
  },
  {
    name: 'a backup',
    sample: await bytesOf(encodeBackup(head, inPieces(dump))),
    decode: async (bytes) => drain((await readDump((await readBackup(inPieces(bytes))).dump)).frames),
    mend: (bytes) => Buffer.concat([bytes, createHash('sha256').update(bytes).digest()]),
  },
  {
    name: 'a Raft message',
    sample: encodeMessage({
      kind: 'appendEntries',
      from: NODE,
      to: NODE,
      term: 3,
      prevLogIndex: 6,
      prevLogTerm: 1,
      entries,
      leaderCommit: 5,
      session: 's',
    }),
    decode: decodeMessage,
  },
  {
    name: 'a Raft snapshot message',
    sample: encodeMessage({ kind: 'installSnapshot', from: NODE, to: NODE, term: 3, snapshot: meta(9) }),
    decode: decodeMessage,
  },
  {
    name: 'a join token',
    sample: Buffer.from(joinToken.slice(JOIN_TOKEN_PREFIX.length), 'base64url'),
    decode: (bytes) => decodeJoinToken(JOIN_TOKEN_PREFIX + Buffer.from(bytes).toString('base64url')),
    mend: (bytes) => {
      createHash('sha256').update(bytes.subarray(6)).digest().copy(bytes, 0, 0, 6);
      return bytes;
    },
  },
  {
    name: 'a control request',
    sample: encodeControl({ kind: 'propose', proposals: [Buffer.from('abc')] }),
    decode: decodeControlRequest,
  },
  {
    name: 'a control answer',
    sample: encodeControl({ kind: 'members', members: [[NODE, ['/a']]] }),
    decode: decodeControlAnswer,
  },
  { name: 'the meta of a snapshot on its way', sample: encodeSnapshotMeta(meta(9)), decode: decodeSnapshotMeta },
  { name: 'a dispatch answer', sample: encodeDispatch('renewed'), decode: decodeDispatchAnswer },
  { name: 'a request of a stream', sample: encodeOpen({ kind: 'snapshot' }), decode: decodeOpen },
  {
    name: 'a request of the bulk network',
    sample: encodeBulk({ kind: 'have', names: [{ function: 'sha256', hash: 'ab'.repeat(32) }], keepMs: 5 }),
    decode: decodeBulk,
  },
  { name: 'the head of a blob', sample: encodeBlobHead(7), decode: decodeBlobHead },
  {
    name: 'a part of a log',
    sample: encodeLogPiece({ stream: 'stdout', at: '2030-01-01T00:00:00Z', data: Buffer.from('x'), offset: 7 }),
    decode: (bytes) => drain(decodeLogPieces(inPieces(bytes))),
  },
  { name: 'an error of a peer', sample: encodeError(new Fault('noLeader', 'none')), decode: decodeError },
  { name: 'a proposal', sample: encodeProposal(proposal), decode: decodeProposal },
  { name: 'an entry of the log', sample: encodeEntry({ at: 1, proposals: [proposal, proposal] }), decode: decodeEntry },
  {
    name: 'a record of the state',
    sample: encodeRecord('job', job(jobId(1), 'running')),
    decode: (bytes) => decodeRecord('job', bytes),
  },
];

/** What happens to good bytes: some of them change, go, come, or become a length that is far too large. */
type Mutation =
  | { readonly kind: 'flip' | 'cut' | 'huge' | 'zero'; readonly at: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array };

const at = fc.nat(2000);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constantFrom('flip' as const, 'cut' as const, 'huge' as const, 'zero' as const), at }),
  fc.record({ kind: fc.constant('insert' as const), at, bytes: fc.uint8Array({ maxLength: 12 }) }),
);

function mutate(bytes: Buffer, change: Mutation): Buffer {
  const where = bytes.length === 0 ? 0 : change.at % bytes.length;
  switch (change.kind) {
    case 'flip':
      bytes[where] = (bytes[where] ?? 0) ^ (1 << (change.at % 8));
      return bytes;
    case 'cut':
      return bytes.subarray(0, where);
    case 'huge':
      return bytes.fill(0xff, where, Math.min(where + 4, bytes.length));
    case 'zero':
      return bytes.fill(0, where, Math.min(where + 4, bytes.length));
    case 'insert':
      return Buffer.concat([bytes.subarray(0, where), change.bytes, bytes.subarray(where)]);
  }
}

/** A value, or an error with a code; without holding more than the input can account for. */
async function expectTamed({ decode }: Codec, bytes: Uint8Array): Promise<void> {
  const before = process.memoryUsage().external;
  try {
    await decode(bytes);
  } catch (error) {
    if (!(error instanceof Fault) && !(error instanceof Rejection)) throw error;
  }
  expect(process.memoryUsage().external - before).toBeLessThan(EXTRA_BYTES_MAX);
}

describe.each(CODECS)('$name', (codec) => {
  const { sample, mend } = codec;

  test('is read back as it was written', async () => {
    await codec.decode(sample);
  });

  test('of random bytes is a value or an error with a code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), (bytes) => expectTamed(codec, bytes)),
      { seed: SEED, numRuns: RUNS },
    );
  });

  test('that was changed is a value or an error with a code', async () => {
    const changes = fc.array(mutation, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(changes, fc.constantFrom('mended', 'as it is'), async (list, checksum) => {
        const changed = list.reduce(mutate, Buffer.from(sample));
        await expectTamed(codec, checksum === 'mended' && mend !== undefined ? mend(changed) : changed);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  test('that is cut at any byte is a value or an error with a code', async () => {
    for (let bytes = 0; bytes < sample.length; bytes++) await expectTamed(codec, sample.subarray(0, bytes));
  });
});
