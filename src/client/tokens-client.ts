import type { CreatedJoinToken, CreatedToken, Page, TokenView } from '../api/views.ts';
import type { Scope } from '../auth.ts';
import { type CallOptions, type Calls, jsonBody } from './calls.ts';

export class TokensClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  async list(options: CallOptions = {}): Promise<readonly TokenView[]> {
    return (await this.#calls.get<Page<TokenView>>('/v1/tokens', options)).items;
  }

  /** @param request `ttl` is a duration such as `12h`; for ever when left out */
  create(
    request: { readonly name: string; readonly scopes: readonly Scope[]; readonly ttl?: string },
    { signal }: CallOptions = {},
  ): Promise<CreatedToken> {
    return this.#calls.post('/v1/tokens', { ...jsonBody(request), repeat: 'unsent', signal });
  }

  /** With which nodes join the cluster. */
  createForJoining(
    request: { readonly uses?: number; readonly ttl?: string } = {},
    { signal }: CallOptions = {},
  ): Promise<CreatedJoinToken> {
    return this.#calls.post('/v1/tokens/join', { ...jsonBody(request), repeat: 'unsent', signal });
  }

  revoke(id: string, { signal }: CallOptions = {}): Promise<void> {
    const path = `/v1/tokens/${encodeURIComponent(id)}`;
    return this.#calls.nothing({ method: 'DELETE', path, repeat: 'unsent', signal });
  }
}
