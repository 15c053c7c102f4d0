import { pino } from 'pino';
import { expect, it } from 'vitest';
import { encodeSnapshotMeta } from '../../../node/replica/control-messages.ts';
import { SnapshotTransfer, type SnapshotTransferParts } from '../../../node/replica/snapshot-transfer.ts';
import { SYSTEM_RUNTIME } from '../../../node/system-runtime.ts';
import { encodeVersioned } from '../../../node/versioned.ts';
import type { NodeId } from '../../../src/ids.ts';
import { Fault } from '../../../src/errors.ts';
import { meta } from '../storage/log-builders.ts';

const LEADER = 'leader' as NodeId;

/** A follower whose leader's stream begins with `head` and then does not end by itself. */
function setUp(head: Uint8Array) {
  const stepped: unknown[] = [];
  const stream = { state: 'closed' };
  const network = {
    async *open() {
      stream.state = 'open';
      try {
        yield head;
        yield Buffer.from('more');
      } finally {
        stream.state = 'let go';
      }
    },
  };
  const inbox = {
    async receive(): Promise<never> {
      throw new Fault('diskFull', 'the disk is full');
    },
  };
  const driver = { restoring: null, step: (input: unknown) => void stepped.push(input) };
  const parts = {
    self: 'follower',
    network,
    inbox,
    logger: pino({ level: 'silent' }),
    runtime: SYSTEM_RUNTIME,
    driver,
  };
  const transfer = new SnapshotTransfer(parts as unknown as SnapshotTransferParts, { snapshotTimeoutMs: 60_000 });
  return { transfer, stream, stepped };
}

it.each([
  ['begins with no head', encodeVersioned({ index: 'x' }), 'peerUnreachable'],
  ['cannot be kept', encodeSnapshotMeta(meta(5)), 'diskFull'],
])('the stream of a snapshot that %s is let go of, and another may be fetched', async (_why, head, code) => {
  const { transfer, stream, stepped } = setUp(head);
  for (let tries = 0; tries < 2; tries++) {
    await expect(transfer.fetch(LEADER, 1)).rejects.toMatchObject({ code });
    expect(stream.state).toBe('let go');
  }
  expect(stepped).toEqual([]);
});
