import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly body: string;
}

const HEAD_END = '\r\n\r\n';

/**
 * One kept HTTP/1.1 connection, one request at a time, no more parsing than the answers of the API need: the load
 * generator shares the machine with what it measures, so it must cost little.
 */
export class RawConnection {
  readonly #socket: Socket;
  #received = '';
  #waiting: { resolve(answer: RawAnswer): void; reject(error: Error): void } | null = null;

  static open(host: string, port: number): Promise<RawConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<RawConnection>();
    const socket = connect({ host, port, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(new RawConnection(socket));
    });
    return promise;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#deliver();
    });
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the connection was closed')));
  }

  send(request: string): Promise<RawAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
    this.#waiting = { resolve, reject };
    this.#socket.write(request, 'latin1');
    return promise;
  }

  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #deliver(): void {
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = this.#received.slice(0, headEnd).toLowerCase();
    const rest = this.#received.slice(headEnd + HEAD_END.length);
    const body = head.includes('transfer-encoding: chunked') ? chunkedBody(rest) : sizedBody(head, rest);
    if (body === null) return;
    this.#received = '';
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

function sizedBody(head: string, rest: string): string | null {
  const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
  return rest.length < length ? null : rest.slice(0, length);
}

function chunkedBody(rest: string): string | null {
  if (!rest.endsWith('0\r\n\r\n')) return null;
  let body = '';
  for (let at = 0; ;) {
    const lineEnd = rest.indexOf('\r\n', at);
    const size = Number.parseInt(rest.slice(at, lineEnd), 16);
    if (size === 0) return body;
    body += rest.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly token: string;
}

export function formatRequest(target: Target, method: 'GET' | 'POST', path: string, body = ''): string {
  return (
    `${method} ${path} HTTP/1.1\r\nhost: ${target.host}:${target.port}\r\nauthorization: Bearer ${target.token}\r\n` +
    (body === '' ? '' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`) +
    `\r\n${body}`
  );
}
