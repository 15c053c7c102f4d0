import { z } from 'zod';
import { allows } from '../../src/auth.ts';
import type { Identity, Scope } from '../../src/auth.ts';
import { Rejection } from '../../src/errors.ts';
import type { TokenId } from '../../src/ids.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Core } from '../core.ts';
import { json, route } from './route.ts';
import type { Route } from './route.ts';
import { createdJoinToken, createdToken, idParams, lifetimeMs, pageOf, scope, tokenView } from './schemas.ts';

const DEFAULT_JOIN_TTL_MS = 60 * 60 * 1000;
const PRINTABLE = /^\P{Cc}*$/u;
const maxBytes = { name: 'bodyBytes', value: LIMITS.bodyBytes };

export function tokenRoutes(core: Core): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/tokens',
      scope: 'tokens:write',
      summary: 'List tokens; their secrets are not kept',
      responses: { 200: { description: 'All of them.', schema: pageOf(tokenView) } },
      handle: async () => json({ items: await core.tokens(), nextCursor: null }),
    }),
    createRoute(core),
    createJoinRoute(core),
    route({
      method: 'DELETE',
      path: '/v1/tokens/:id',
      scope: 'tokens:write',
      summary: 'Revoke a token',
      params: idParams,
      responses: { 204: { description: 'It is revoked.' } },
      async handle({ params, identity }) {
        await core.revokeToken(identity, params.id as TokenId);
        return { kind: 'empty', status: 204 };
      },
    }),
  ];
}

function createRoute(core: Core): Route {
  return route({
    method: 'POST',
    path: '/v1/tokens',
    scope: 'tokens:write',
    summary: 'Make a token that holds no more than its maker does',
    body: {
      kind: 'json',
      schema: z.strictObject({
        name: z.string().min(1).max(LIMITS.nameLength).regex(PRINTABLE, 'must not contain control characters'),
        scopes: z.array(scope).min(1),
        ttl: lifetimeMs.optional().meta({ description: 'A duration; for ever when left out.' }),
      }),
      maxBytes,
      types: 'json',
    },
    responses: { 201: { description: 'The token, told this once.', schema: createdToken } },
    async handle({ body, identity }) {
      expectNarrowing(identity, body.scopes);
      const request = { name: body.name, scopes: body.scopes, ttlMs: body.ttl ?? null };
      return { kind: 'json', status: 201, body: await core.createToken(identity, request) };
    },
  });
}

function createJoinRoute(core: Core): Route {
  return route({
    method: 'POST',
    path: '/v1/tokens/join',
    scope: 'cluster:write',
    summary: 'Make a token that lets nodes join',
    body: {
      kind: 'json',
      schema: z.strictObject({
        uses: z.int().min(1).max(LIMITS.joinTokenUses).default(1),
        ttl: lifetimeMs
          .pipe(z.number().max(LIMITS.joinTokenTtlMaxMs, 'must be at most 30 days'))
          .default(DEFAULT_JOIN_TTL_MS)
          .meta({ description: 'A duration; 1h when left out.' }),
      }),
      maxBytes,
      types: 'json',
    },
    responses: { 201: { description: 'The token, told this once.', schema: createdJoinToken } },
    async handle({ body, identity }) {
      const created = await core.createJoinToken(identity, { uses: body.uses, ttlMs: body.ttl });
      return { kind: 'json', status: 201, body: created };
    },
  });
}

/** Delegation only narrows. */
function expectNarrowing(identity: Identity, scopes: readonly Scope[]): void {
  const wider = scopes.find((wanted) => !allows(identity.scopes, wanted));
  if (wider !== undefined) {
    throw new Rejection('forbidden', `a token without the scope ${wider} cannot give it`, { field: 'scopes' });
  }
}
