import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Logger } from 'pino';
import { createFrameDecoder, encodeFrame } from './frames.ts';
import type { FromRunner, ToRunner } from './messages.ts';
import { PROTOCOL_VERSION } from './messages.ts';
import { createOutbox } from './outbox.ts';
import { createTurns } from './turns.ts';

/** A connection that has not said hello by then is closed. */
const HELLO_MS = 10_000;

export interface RunnerServer {
  readonly connected: boolean;
  /** To the node that connected last; into the void without one, which is told everything once it connects. */
  send(message: FromRunner): void;
  close(): Promise<void>;
}

/**
 * One node at a time. The newest wins: only one node process can hold the data folder, so an older connection that is
 * still there belongs to a node that is dead or on its way.
 */
export async function startRunnerServer(
  { logger, onMessage }: { readonly logger: Logger; readonly onMessage: (message: ToRunner) => void },
  { socket: path }: { readonly socket: string },
): Promise<RunnerServer> {
  let current: Socket | null = null;
  const turns = createTurns((message) => {
    try {
      onMessage(message);
    } catch (err) {
      logger.error({ err, kind: message.kind }, 'a message of the node cannot be taken; the connection is closed');
      current?.destroy();
    }
  });
  const outbox = createOutbox((frames) => {
    if (current?.writable) current.write(frames);
  });
  const all = new Set<Socket>();

  function greet(socket: Socket): void {
    if (current !== null && current !== socket) {
      logger.warn('another node process has connected; the one before is let go');
      current.end(encodeFrame({ kind: 'replaced' } satisfies FromRunner));
    }
    turns.clear();
    current = socket;
    socket.setTimeout(0);
  }

  function receive(socket: Socket, message: ToRunner): void {
    if (message.kind === 'hello') greet(socket);
    if (socket === current) turns.take(message);
  }

  function refuse(socket: Socket, version: number): void {
    const reason = `this runner speaks version ${PROTOCOL_VERSION} of the protocol, not ${version}`;
    logger.warn({ version }, 'a node of another protocol version was refused');
    socket.end(encodeFrame({ kind: 'refused', reason } satisfies FromRunner));
  }

  function accept(socket: Socket): void {
    const decoder = createFrameDecoder<ToRunner>();
    all.add(socket);
    socket.setTimeout(HELLO_MS, () => socket.destroy());
    socket.on('error', (err) => logger.debug({ err }, 'the connection of a node broke'));
    socket.on('close', () => {
      all.delete(socket);
      if (current === socket) current = null;
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const decoded of decoder.push(chunk)) {
          if (decoded.kind === 'otherVersion') return refuse(socket, decoded.version);
          receive(socket, decoded.message);
        }
      } catch (err) {
        logger.error({ err }, 'a frame of the node cannot be read; the connection is closed');
        socket.destroy();
      }
    });
  }

  const server = createServer(accept);
  await listen(server, path);
  return {
    get connected() {
      return current !== null;
    },
    send: (message) => outbox.send(message),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of all) socket.end();
      await closed;
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve();
    });
  });
}
