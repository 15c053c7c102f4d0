import { isMainThread, parentPort, type MessagePort, workerData } from 'node:worker_threads';
import { pino } from 'pino';
import { assert } from '../../src/errors.ts';
import { BlobHost } from './blob-host.ts';
import { toPlain } from './plain-error.ts';
import type { BlobCall, BlobResults, BlobThreadData, FromThread, ToThread } from './port.ts';
import { DiskJobTrees } from '../trees/job-trees.ts';
import type { TreeBlobs } from '../trees/port.ts';
import { TreeCalls } from '../trees/tree-calls.ts';
import { ThreadStreams } from './thread-streams.ts';

const WHOLE = { start: 0, end: Number.MAX_SAFE_INTEGER };

function blobsOfTrees(host: BlobHost): TreeBlobs {
  return {
    open: (name) => host.read(name, WHOLE),
    put: (digest, bytes) => host.put(digest, once(bytes), { size: digest.size, pins: [] }),
    putFile: (name, path) => host.call({ method: 'putFile', name, path, pins: [] }),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  if (bytes.length > 0) yield bytes;
}

/** The thread that the bytes of blobs are read, hashed, written and sent in, so that consensus never waits for them. */
async function serve(port: MessagePort, data: BlobThreadData): Promise<void> {
  const post = (message: FromThread, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  const streams = new ThreadStreams(post);
  const logger = pino({ level: data.logLevel, base: null }, { write: (line: string) => post({ kind: 'log', line }) });
  const host = await BlobHost.open(data, logger);
  const trees = new TreeCalls(await DiskJobTrees.open(blobsOfTrees(host), data.trees));

  async function answer(id: number, call: BlobCall): Promise<void> {
    try {
      post({ kind: 'answer', id, result: await carryOut(id, call) });
    } catch (error) {
      post({ kind: 'failed', id, error: toPlain(error) });
    }
  }

  async function carryOut(id: number, call: BlobCall): Promise<BlobResults[keyof BlobResults]> {
    switch (call.method) {
      case 'put': {
        const source = streams.receive(id);
        try {
          return await host.put(call.name, source, { size: call.size, pins: call.pins });
        } finally {
          // A put that failed before it read leaves it too.
          await source.return();
          streams.leave(id);
        }
      }
      case 'open': {
        const { size, stream } = await host.read(call.name, call.range);
        // Behind the answer, so that the other side is there to receive.
        setImmediate(() => void streams.send(id, stream));
        return { size };
      }
      case 'materialise':
      case 'abandon':
      case 'keep':
        return await trees.carryOut(id, call);
      case 'close':
        await host.close();
        return null;
      default:
        return await host.call(call);
    }
  }

  port.on('message', (message: ToThread) => {
    if (message.kind === 'call') void answer(message.id, message.call);
    else streams.onMessage(message);
  });
  post({ kind: 'opened', error: null });
}

assert(!isMainThread && parentPort !== null, 'the blob thread is started by blob-client.ts');
const toMain = parentPort;
serve(toMain, workerData as BlobThreadData).catch((error: unknown) => {
  toMain.postMessage({ kind: 'opened', error: toPlain(error) } satisfies FromThread);
  toMain.close();
});
