import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readChunks } from '../../../node/http/body.ts';

async function receive(): Promise<{
  readonly raw: IncomingMessage;
  readonly response: ServerResponse;
  send(text: string): void;
  readonly answered: Promise<unknown>;
}> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const call = request({ host: '127.0.0.1', port, method: 'POST', agent: false });
  call.on('error', () => undefined);
  const answered = once(call, 'response').catch(() => undefined);
  call.flushHeaders();
  const [raw, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  onTestFinished(() => {
    call.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { raw, response, answered, send: (text) => call.write(text) };
}

describe('reading a body as it comes', () => {
  it('gives up a client that stops sending', async () => {
    const { raw, send } = await receive();
    const chunks = readChunks(raw, 50);
    send('a');
    expect(String((await chunks.next()).value)).toBe('a');
    await expect(chunks.next()).rejects.toMatchObject({ code: 'timedOut' });
  });

  it('does not count the time in which nothing is asked of the client', async () => {
    const { raw, send } = await receive();
    const chunks = readChunks(raw, 200);
    send('a');
    await chunks.next();
    await new Promise((resolve) => setTimeout(resolve, 500));
    send('b');
    expect(String((await chunks.next()).value)).toBe('b');
  });

  it('leaves the request open to be answered when it is left early', async () => {
    const { raw, response, send, answered } = await receive();
    send('a');
    for await (const _ of readChunks(raw)) break;
    response.end('answer');
    expect(await answered).toBeDefined();
  });
});
