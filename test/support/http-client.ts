import { Agent, request, type IncomingMessage } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  json<Shape>(): Shape;
}

export interface HttpRequest {
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Plain HTTP over kept connections: no retries, no following, so that a test sees what the server did. */
export class HttpClient {
  readonly url: string;
  readonly #token: string | null;
  readonly #socketPath: string | null;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });

  /** @param url `http://HOST:PORT` @param socketPath a unix socket that leads there, where the address itself does not */
  constructor(url: string, token: string | null, socketPath: string | null = null) {
    this.url = url;
    this.#token = token;
    this.#socketPath = socketPath;
  }

  get(path: string, options: HttpRequest = {}): Promise<HttpAnswer> {
    return this.send('GET', path, options);
  }

  post(path: string, value: unknown, options: HttpRequest = {}): Promise<HttpAnswer> {
    return this.send('POST', path, { ...options, body: JSON.stringify(value) });
  }

  /** One NDJSON line per value; a string goes as it is, so that a test can send a broken line. */
  postLines(path: string, lines: readonly unknown[], options: HttpRequest = {}): Promise<HttpAnswer> {
    const body = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n') + '\n';
    return this.send('POST', path, {
      ...options,
      body,
      headers: { 'content-type': 'application/x-ndjson', ...options.headers },
    });
  }

  send(method: string, path: string, { body, headers, timeoutMs = 60_000 }: HttpRequest): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const call = request(
      `${this.url}${path}`,
      {
        method,
        agent: this.#agent,
        ...(this.#socketPath === null ? {} : { socketPath: this.#socketPath }),
        headers: {
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }),
          ...headers,
        },
      },
      (response) => {
        readAll(response).then((text) => resolve(answerOf(response, text)), reject);
      },
    );
    call.setTimeout(timeoutMs, () => call.destroy(new Error(`no answer to ${method} ${path} in ${timeoutMs} ms`)));
    call.on('error', reject);
    call.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function answerOf(response: IncomingMessage, text: string): HttpAnswer {
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    json<Shape>(): Shape {
      try {
        return JSON.parse(text) as Shape;
      } catch (error) {
        throw new Error(`status ${response.statusCode}, and no JSON: ${text.slice(0, 500)}`, { cause: error });
      }
    },
  };
}

export function parseLines<Shape>(text: string): readonly Shape[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Shape);
}
