import { request } from 'node:http';
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { onTestFinished } from 'vitest';
import type { Problem } from '../../../src/api/views.ts';
import { createHttpServer } from '../../../node/http/server.ts';
import type { HttpOptions, HttpServer } from '../../../node/http/server.ts';
import type { ServedBlobs } from '../../../node/http/blobs.ts';
import { FakeBlobs } from './fake-blobs.ts';
import { FakeCore } from './fake-core.ts';

export interface Served {
  readonly server: HttpServer;
  readonly port: number;
  readonly core: FakeCore;
  readonly registry: Registry;
  /** Everything that was logged, as text. */
  readonly logged: () => string;
  ask(method: string, path: string, given?: Given): Promise<Told>;
  /** The request with its body not ended yet. */
  open(method: string, path: string, headers?: Readonly<Record<string, string>>): ClientRequest;
}

export interface Given {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** JSON with its content type. */
  readonly json?: unknown;
}

export interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly bytes: Buffer;
  json<Shape>(): Shape;
  problem(): Problem;
}

/** A server on a port of its own over fakes, closed when the test ends. */
export async function serve(
  core: FakeCore = new FakeCore(),
  options: Partial<HttpOptions> & { readonly blobs?: ServedBlobs } = {},
): Promise<Served> {
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
  const registry = new Registry();
  const { blobs = new FakeBlobs(), ...rest } = options;
  const server = await createHttpServer(
    { core, blobs, metrics: registry, logger },
    { address: { host: '127.0.0.1', port: 0 }, allowedHosts: [], ...rest },
  );
  onTestFinished(() => server.close());
  const { port } = server.address;
  function open(method: string, path: string, headers: Readonly<Record<string, string>> = {}): ClientRequest {
    return request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  }
  return {
    server,
    port,
    core,
    registry,
    logged: () => lines.join(''),
    open,
    async ask(method, path, given = {}) {
      const typed = given.json === undefined ? {} : { 'content-type': 'application/json' };
      const body = given.json === undefined ? given.body : JSON.stringify(given.json);
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
      const call = open(method, path, { ...typed, ...length, ...given.headers });
      const answer = responseTo(call);
      call.end(body);
      return await told(await answer);
    },
  };
}

export async function responseTo(call: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  return response;
}

export async function told(response: IncomingMessage): Promise<Told> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString('utf8');
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    bytes,
    json: <Shape>() => JSON.parse(text) as Shape,
    problem: () => JSON.parse(text) as Problem,
  };
}

/** Reads a streamed answer line by line. */
export async function* linesOf(response: IncomingMessage): AsyncGenerator<string, void> {
  let rest = '';
  for await (const chunk of response) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
