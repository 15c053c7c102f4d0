import { connect } from 'node:net';
import { Fault, unreachable } from '../../src/errors.ts';
import { createFrameDecoder, encodeFrame } from './frames.ts';
import type { AttemptEvent, FromRunner, ToRunner } from './messages.ts';

export type Welcome = Extract<FromRunner, { kind: 'welcome' }>;

export interface LinkListener {
  event(event: AttemptEvent): void;
  /** Once, after the last event. `replaced`: another node has the runner now. */
  closed(why: 'broken' | 'replaced'): void;
}

/** A connection to a runner process that has answered. */
export interface RunnerLink {
  readonly welcome: Welcome;
  send(message: ToRunner): void;
  /** What came before is kept and given first, so that nobody hears an event before knowing of the connection. */
  listen(listener: LinkListener): void;
  /** Sends what is still to be sent. */
  close(): Promise<void>;
}

export type LinkResult =
  | { readonly kind: 'linked'; readonly link: RunnerLink }
  /** Nobody listens: it is starting, or gone. */
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'otherVersion' };

export function openLink(path: string, { timeoutMs }: { readonly timeoutMs: number }): Promise<LinkResult> {
  const { promise, resolve } = Promise.withResolvers<LinkResult>();
  const socket = connect(path);
  const decoder = createFrameDecoder<FromRunner>();
  const early: AttemptEvent[] = [];
  let listener: LinkListener | null = null;
  let isCorked = false;
  let closedWhy: 'broken' | 'replaced' = 'broken';

  const closed = new Promise<void>((done) => socket.once('close', () => done()));
  const timer = setTimeout(() => fail({ kind: 'silent' }), timeoutMs);

  function fail(result: LinkResult): void {
    clearTimeout(timer);
    resolve(result);
    socket.destroy();
  }

  /** In one write with what is sent in the same turn of the event loop. */
  function send(message: ToRunner): void {
    if (!socket.writable) return;
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      setImmediate(() => {
        isCorked = false;
        socket.uncork();
      });
    }
    socket.write(encodeFrame(message));
  }

  function listen(to: LinkListener): void {
    listener = to;
    for (const event of early.splice(0)) to.event(event);
    void closed.then(() => to.closed(closedWhy));
  }

  async function close(): Promise<void> {
    socket.end();
    const force = setTimeout(() => socket.destroy(), timeoutMs);
    await closed;
    clearTimeout(force);
  }

  function receive(message: FromRunner): void {
    switch (message.kind) {
      case 'welcome':
        clearTimeout(timer);
        return resolve({ kind: 'linked', link: { welcome: message, send, listen, close } });
      case 'event':
        if (listener === null) early.push(message.event);
        else listener.event(message.event);
        return;
      case 'replaced':
        closedWhy = 'replaced';
        return;
      case 'refused':
        return fail({ kind: 'otherVersion' });
      default:
        unreachable(message);
    }
  }

  socket.on('connect', () => send({ kind: 'hello' }));
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const decoded of decoder.push(chunk)) {
        if (decoded.kind === 'message') receive(decoded.message);
        else fail({ kind: 'otherVersion' });
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      socket.destroy();
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => fail({ kind: 'unreachable' }));
  return promise;
}
