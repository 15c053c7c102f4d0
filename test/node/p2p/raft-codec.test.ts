import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMessage, encodeMessage } from '../../../node/p2p/raft-codec.ts';
import type { Configuration, Entry, Message, NodeId } from '../../../raft/types.ts';

const count = fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 50 }), fc.constant(0));
const name = fc.string({ unit: 'binary', maxLength: 60 });
const node = name as fc.Arbitrary<NodeId>;
const nodes = fc.array(node, { maxLength: 5 });
const configuration: fc.Arbitrary<Configuration> = fc.record({
  voters: nodes,
  outgoing: nodes,
  learners: nodes,
  learnersNext: nodes,
});
const phase = fc.constantFrom('preVote' as const, 'vote' as const);
const envelope = { from: node, to: node, term: count };

const entries: fc.Arbitrary<Entry[]> = fc
  .tuple(
    count,
    fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('data' as const), term: count, data: fc.uint8Array({ maxLength: 300 }) }),
        fc.record({ kind: fc.constant('noop' as const), term: count }),
        fc.record({ kind: fc.constant('configuration' as const), term: count, configuration }),
      ),
      { maxLength: 8 },
    ),
  )
  .map(([first, list]) => list.map((entry, position) => ({ ...entry, index: first + position })));

const messages: { readonly [Kind in Message['kind']]: fc.Arbitrary<Message> } = {
  requestVote: fc.record({
    kind: fc.constant('requestVote'),
    ...envelope,
    phase,
    lastLogIndex: count,
    lastLogTerm: count,
    reason: fc.constantFrom('timeout', 'transfer'),
  }),
  requestVoteResponse: fc.record({
    kind: fc.constant('requestVoteResponse'),
    ...envelope,
    phase,
    granted: fc.boolean(),
  }),
  appendEntries: fc.record({
    kind: fc.constant('appendEntries'),
    ...envelope,
    prevLogIndex: count,
    prevLogTerm: count,
    entries,
    leaderCommit: count,
    session: fc.option(name, { nil: null }),
  }),
  appendEntriesResponse: fc.record({
    kind: fc.constant('appendEntriesResponse'),
    ...envelope,
    success: fc.boolean(),
    index: count,
    hintIndex: count,
    hintTerm: count,
    session: name,
  }),
  heartbeat: fc.record({
    kind: fc.constant('heartbeat'),
    ...envelope,
    commit: count,
    readRound: count,
    sentTick: count,
  }),
  heartbeatResponse: fc.record({
    kind: fc.constant('heartbeatResponse'),
    ...envelope,
    readRound: count,
    sentTick: count,
    session: name,
    lastIndex: count,
  }),
  installSnapshot: fc.record({
    kind: fc.constant('installSnapshot'),
    ...envelope,
    snapshot: fc.record({ index: count, term: count, configuration }),
  }),
  readIndex: fc.record({ kind: fc.constant('readIndex'), ...envelope, id: count, session: name }),
  readIndexResponse: fc.record({
    kind: fc.constant('readIndexResponse'),
    ...envelope,
    id: count,
    session: name,
    index: fc.option(count, { nil: null }),
  }),
  timeoutNow: fc.record({ kind: fc.constant('timeoutNow'), ...envelope, expectedLastIndex: count }),
};
const message = fc.oneof(...Object.values(messages));

function normal(value: Message | null): unknown {
  if (value?.kind !== 'appendEntries') return value;
  return {
    ...value,
    entries: value.entries.map((entry) =>
      entry.kind === 'data' ? { ...entry, data: Buffer.from(entry.data).toString('hex') } : entry,
    ),
  };
}

describe('the codec of raft messages', () => {
  for (const [kind, arbitrary] of Object.entries(messages)) {
    test(`brings ${kind} back as it was`, () => {
      fc.assert(
        fc.property(arbitrary, (original) => {
          expect(normal(decodeMessage(encodeMessage(original)))).toEqual(normal(original));
        }),
        { numRuns: 100 },
      );
    });
  }

  test('answers null for whatever is cut short or has bytes behind its end', () => {
    fc.assert(
      fc.property(message, fc.nat(), (original, at) => {
        const frame = encodeMessage(original);
        expect(decodeMessage(frame.subarray(0, at % frame.length))).toBeNull();
        expect(decodeMessage(Buffer.concat([frame, Buffer.from([0])]))).toBeNull();
      }),
    );
  });

  test('never throws, whatever the bytes are', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (frame) => void decodeMessage(frame)));
    fc.assert(
      fc.property(message, fc.nat(), fc.nat(255), (original, at, value) => {
        const frame = Buffer.from(encodeMessage(original));
        frame[at % frame.length] = value;
        const read = decodeMessage(frame);
        if (read !== null) expect(Number.isSafeInteger(read.term)).toBe(true);
      }),
    );
  });

  test('answers null for another version and for an unknown kind', () => {
    const frame = Buffer.from(encodeMessage(heartbeat()));
    for (const position of [0, 1]) {
      const changed = Buffer.from(frame);
      changed[position] = 200;
      expect(decodeMessage(changed)).toBeNull();
    }
    expect(decodeMessage(frame)).not.toBeNull();
  });

  test('answers null for numbers that count nothing', () => {
    for (const term of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
      expect(decodeMessage(encodeMessage({ ...heartbeat(), term }))).toBeNull();
    }
  });

  test('writes a heartbeat into less than 200 bytes', () => {
    const id = '12D3KooWNREGUSyHFmPKuPTwYRBzpx6MBoF1sRksS3DEm1Vcg1Ui' as NodeId;
    expect(encodeMessage({ ...heartbeat(), from: id, to: id }).length).toBeLessThan(200);
  });
});

function heartbeat(): Message {
  return { kind: 'heartbeat', from: 'a' as NodeId, to: 'b' as NodeId, term: 3, commit: 2, readRound: 1, sentTick: 9 };
}
