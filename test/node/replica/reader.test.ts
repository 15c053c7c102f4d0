import { describe, expect, it } from 'vitest';
import { REPLICA_LIMITS, REPLICA_TIMES } from '../../../node/replica/limits.ts';
import { Reader, type ReadPort } from '../../../node/replica/reader.ts';
import { SYSTEM_RUNTIME } from '../../../node/system-runtime.ts';
import { Fault } from '../../../src/errors.ts';

function setUp(waitForApplied: ReadPort['waitForApplied'] = async () => {}) {
  const asked: number[] = [];
  let requests = 0;
  const port: ReadPort = {
    nextRequest: () => (requests += 1),
    request: (id) => void asked.push(id),
    waitForApplied,
  };
  return { reader: new Reader(port, SYSTEM_RUNTIME, { limits: REPLICA_LIMITS, times: REPLICA_TIMES }), asked };
}

describe('Reader', () => {
  it('shares one confirmation among all reads that arrive while another is under way', async () => {
    const { reader, asked } = setUp();
    const first = reader.barrier();
    const later = [reader.barrier(), reader.barrier()];
    expect(asked).toEqual([1]);
    reader.readable(1, 10);
    await first;
    expect(asked).toEqual([1, 2]);
    reader.readable(2, 10);
    await Promise.all(later);
  });

  it('never serves a read from a confirmation that was asked for before the read came', async () => {
    const { reader } = setUp();
    const first = reader.barrier();
    let served = false;
    const second = reader.barrier().then(() => (served = true));
    reader.readable(1, 5);
    await first;
    expect(served).toBe(false);
    reader.readable(2, 5);
    await second;
  });

  it('asks again after a refusal, under a new id', async () => {
    const { reader, asked } = setUp();
    const read = reader.barrier();
    reader.refused(1);
    await expect.poll(() => asked).toEqual([1, 2]);
    reader.readable(1, 3);
    reader.readable(2, 3);
    await read;
  });

  it('ignores answers to ids it does not wait for', async () => {
    const { reader } = setUp();
    const read = reader.barrier();
    reader.readable(7, 1);
    reader.refused(8);
    reader.readable(1, 1);
    await read;
  });

  it('rejects what waits to be applied once it is stopped', async () => {
    const { reader } = setUp(() => new Promise(() => {}));
    const read = reader.barrier();
    reader.readable(1, 10);
    reader.stop(new Fault('stopping', 'stopping'));
    await expect(read).rejects.toMatchObject({ code: 'stopping' });
  });

  it('rejects what waits and what comes once it is stopped', async () => {
    const { reader } = setUp();
    const waiting = [reader.barrier(), reader.barrier()];
    reader.stop(new Fault('stopping', 'stopping'));
    for (const read of waiting) await expect(read).rejects.toMatchObject({ code: 'stopping' });
    await expect(reader.barrier()).rejects.toMatchObject({ code: 'stopping' });
  });
});
