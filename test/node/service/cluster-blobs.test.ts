import { describe, expect, it } from 'vitest';
import { decodeOpen, encodeBlobHead } from '../../../node/open-messages.ts';
import { ClusterBlobs } from '../../../node/service/cluster-blobs.ts';
import type { ServedBlobs } from '../../../node/http/blobs.ts';
import { blobName } from '../../../src/cas/digest.ts';
import { Fault, Rejection } from '../../../src/errors.ts';
import type { NodeId } from '../../../src/ids.ts';

const NAME = blobName('sha256', 'a'.repeat(64));
const BYTES = new TextEncoder().encode('0123456789');

async function* one(bytes: Uint8Array) {
  yield bytes;
}

const nowhere: ServedBlobs = {
  put: async () => ({ size: 0, existed: false }),
  open: async () => {
    throw new Rejection('notFound', 'not here');
  },
  stat: async () => null,
};
const here: ServedBlobs = {
  ...nowhere,
  open: async (_name, range) => ({ size: BYTES.length, stream: one(BYTES.slice(range?.start, range?.end)) }),
  stat: async () => ({ size: BYTES.length }),
};

/** Members by name, each with what happens when a stream is opened there. */
function network(members: Record<string, 'has it' | 'has it not' | 'cut off'>) {
  const asked: string[] = [];
  const left: string[] = [];
  return {
    asked,
    left,
    connected: () => Object.keys(members) as NodeId[],
    async *open(to: NodeId, body: Uint8Array) {
      asked.push(to);
      const request = decodeOpen(body);
      if (request.kind !== 'blob') throw new Error('unexpected');
      if (members[to] === 'cut off') throw new Fault('peerUnreachable', 'cut off');
      if (members[to] === 'has it not') throw new Rejection('notFound', 'not here');
      try {
        yield encodeBlobHead({ size: BYTES.length });
        if (request.end > request.start) yield BYTES.slice(request.start, request.end);
      } finally {
        left.push(to);
      }
    },
  };
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += new TextDecoder().decode(chunk);
  return text;
}

describe('ClusterBlobs', () => {
  it('asks nobody for what is here', async () => {
    const net = network({ a: 'has it' });
    expect(await read((await new ClusterBlobs(here, net).open(NAME)).stream)).toBe('0123456789');
    expect(net.asked).toEqual([]);
  });

  it('reads what another member has, past those that do not have it or are gone', async () => {
    const net = network({ a: 'has it not', b: 'cut off', c: 'has it', d: 'has it' });
    const blobs = new ClusterBlobs(nowhere, net);
    const { size, stream } = await blobs.open(NAME, { start: 2, end: 5 });
    expect([size, await read(stream)]).toEqual([10, '234']);
    expect(net.asked).toEqual(['a', 'b', 'c']);
    expect(await blobs.stat(NAME)).toEqual({ size: 10 });
  });

  it('lets go of the stream that told it the size', async () => {
    const net = network({ a: 'has it' });
    expect(await new ClusterBlobs(nowhere, net).stat(NAME)).toEqual({ size: 10 });
    expect(net.left).toEqual(['a']);
  });

  it('says so when nobody has it', async () => {
    const blobs = new ClusterBlobs(nowhere, network({ a: 'has it not', b: 'cut off' }));
    await expect(blobs.open(NAME)).rejects.toMatchObject({ code: 'notFound' });
    expect(await blobs.stat(NAME)).toBeNull();
  });
});
