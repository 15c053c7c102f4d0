import { type CallOptions, type Calls, jsonBody } from './calls.ts';
import { ApiError } from './client-error.ts';
import type { RequestBody } from './transport.ts';

const TRANSFER_MS = 60 * 60 * 1000;

/** Bytes under their SHA-256. */
export class BlobsClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /**
   * @param body called for each try
   * @param transferMs how long the transfer may take
   */
  put(
    hash: string,
    body: () => RequestBody,
    { transferMs = TRANSFER_MS, signal }: CallOptions & { readonly transferMs?: number } = {},
  ): Promise<void> {
    return this.#calls.nothing({
      method: 'PUT',
      path: pathOf(hash),
      body,
      headers: { 'content-type': 'application/octet-stream' },
      repeat: 'always',
      waitsMs: transferMs,
      signal,
    });
  }

  /** How many bytes there are. ApiError `notFound` when they are nowhere. */
  async stat(hash: string, { signal }: CallOptions = {}): Promise<{ readonly size: number }> {
    try {
      const request = { method: 'HEAD', path: pathOf(hash), repeat: 'always', signal } as const;
      return await this.#calls.transport.send(request, ({ headers }) => ({
        size: Number(headers.get('content-length')),
      }));
    } catch (error) {
      // An answer to HEAD has no body that could tell it in words.
      if (!(error instanceof ApiError) || error.code !== 'notFound') throw error;
      throw new ApiError({ ...error.problem, detail: 'there is no such blob' }, error.url);
    }
  }

  /** Those of the names, as `sha256:…`, that are nowhere. */
  async missing(names: readonly string[], { signal }: CallOptions = {}): Promise<readonly string[]> {
    const request = { ...jsonBody({ names }), repeat: 'always', signal } as const;
    return (await this.#calls.post<{ readonly missing: readonly string[] }>('/v1/blobs/missing', request)).missing;
  }

  /** The bytes as they come; checking their hash is the caller's. UnreachableError when the connection breaks. */
  get(hash: string, options: CallOptions = {}): Promise<AsyncGenerator<Uint8Array, void>> {
    return this.#calls.bytes(pathOf(hash), options);
  }
}

function pathOf(hash: string): string {
  return `/v1/blobs/sha256/${encodeURIComponent(hash)}`;
}
