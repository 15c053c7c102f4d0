import { describe, expect, it } from 'vitest';
import { decodeDispatchAnswer, decodeDispatchRequest, decodeMemberReport } from '../../node/dispatch-messages.ts';
import { decodeBulk, decodeHead } from '../../node/blobs/bulk-messages.ts';
import { decodeOpen } from '../../node/open-messages.ts';
import { decodeControlAnswer, decodeControlRequest, decodeSnapshotMeta } from '../../node/replica/control-messages.ts';
import { encodeVersioned } from '../../node/versioned.ts';

const NONSENSE = [null, 7, 'x', [], {}, { kind: 'unheardOf' }];
const FROM = { stdout: 0, stderr: 0 };
const HASH = 'a'.repeat(64);

const REQUESTS = {
  control: [
    decodeControlRequest,
    { kind: 'propose' },
    { kind: 'propose', proposals: 'all' },
    { kind: 'propose', proposals: [Buffer.from('x'), 'y'] },
    { kind: 'propose', proposals: [Buffer.alloc(17 * 1024 * 1024)] },
    { kind: 'changeMembership', node: 7, role: 'voter' },
    { kind: 'changeMembership', node: 'a', role: 'leader' },
    { kind: 'transfer', to: '' },
    { kind: 'fetchSnapshot', term: -1 },
  ],
  dispatch: [decodeDispatchRequest, { kind: 'renewLease', runner: 'a' }, { kind: 'renewLease', incarnation: {} }],
  open: [
    decodeOpen,
    { kind: 'log', job: '../../etc', attempt: 1, stream: 'both', follow: false, from: FROM, maxBytes: null },
    { kind: 'logTail', job: '../../etc', attempt: 1, lines: 1 },
  ],
  bulk: [
    decodeBulk,
    { kind: 'read', name: `sha256:../${HASH.slice(3)}`, start: 0, end: 1 },
    { kind: 'read', name: `sha256:${HASH}`, start: -1, end: 1 },
    { kind: 'read', name: `md5:${HASH}`, start: 0, end: 1 },
    { kind: 'have', names: Array.from({ length: 1025 }, () => `sha256:${HASH}`), keepMs: 0 },
    { kind: 'take', name: `sha256:${HASH}`, size: 1, pins: [{ owner: '', until: null }] },
    { kind: 'take', name: `sha256:${HASH}`, size: 1.5, pins: [] },
  ],
} as const;

const ANSWERS = {
  control: [decodeControlAnswer, { kind: 'changed', index: 'x' }, { kind: 'members', members: [['a', 'b']] }],
  renewal: [decodeDispatchAnswer, 'never'],
  report: [decodeMemberReport, { term: 1, lastIndex: 1, commitIndex: 1, members: [{ id: 'a' }] }],
  blob: [decodeHead, { size: -1 }],
  snapshot: [decodeSnapshotMeta, { index: 1, term: 1, configuration: { voters: 'a' } }],
} as const;

describe('what a member sends that makes no sense', () => {
  it.each(Object.entries(REQUESTS))('as a request on %s is refused with a code', (_name, [decode, ...some]) => {
    for (const message of [...NONSENSE, ...some]) {
      expect(() => decode(encodeVersioned(message))).toThrow(expect.objectContaining({ code: 'invalidRequest' }));
    }
  });

  it.each(Object.entries(ANSWERS))('as an answer (%s) counts as none', (_name, [decode, ...some]) => {
    for (const message of [7, [], {}, ...some]) {
      expect(() => decode(encodeVersioned(message))).toThrow(expect.objectContaining({ code: 'peerUnreachable' }));
    }
  });
});
