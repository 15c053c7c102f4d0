import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { z } from 'zod';
import type { Identity, Scope } from '../../src/auth.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

/** `public`: no token is asked for. `anyToken`: whoever is authenticated. */
export type RouteScope = Scope | 'public' | 'anyToken';

/** What the client may send as a body, and who reads it. */
export type BodyRule<Body extends z.ZodType = z.ZodType> =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'json';
      readonly schema: Body;
      /** In place of the schema's own check. @throws Rejection */
      readonly check?: (value: unknown) => z.output<Body>;
      readonly maxBytes: { readonly name: string; readonly value: number };
      /**
       * `orUntyped` takes JSON too when the client named no type or the one that curl puts on `-d` by default. A
       * browser can send those across sites without asking; the guard's Origin check stands against that.
       */
      readonly types: 'json' | 'orUntyped';
    }
  /** The handler reads it as it comes. Null: any type. */
  | { readonly kind: 'stream'; readonly types: readonly string[] | null; readonly schema: z.ZodType | null };

export interface RouteInput<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly identity: Identity;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  /** The request's bytes, for routes that read their body themselves. */
  readonly raw: IncomingMessage;
  /** Aborted when the client is gone or this server stops. */
  signal(): AbortSignal;
}

export type Headers = Readonly<Record<string, string>>;

export type Answer =
  | { readonly kind: 'json'; readonly status: 200 | 201 | 503; readonly body: unknown; readonly headers?: Headers }
  | { readonly kind: 'text'; readonly status: 200; readonly text: string; readonly mediaType: string }
  | { readonly kind: 'empty'; readonly status: 200 | 204; readonly headers?: Headers }
  /** `onError` makes the last piece of a stream that fails; without it the connection is cut. */
  | {
      readonly kind: 'stream';
      readonly status: 200 | 206;
      readonly headers: Headers;
      readonly pieces: AsyncIterable<Uint8Array | string>;
      readonly onError?: (error: unknown) => string;
    };

export interface ResponseDoc {
  readonly description: string;
  readonly mediaType?: string;
  readonly schema?: z.ZodType;
}

export interface RouteDefinition<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
> {
  readonly method: Method;
  /** With `:name` for parameters. */
  readonly path: string;
  readonly scope: RouteScope;
  /**
   * What a job may use it for with its token: to make something, or for the job or group of its own that `:id` names.
   * Left out: for nothing, or the handler itself sees to it (`handler`).
   */
  readonly own?: 'new' | 'job' | 'group' | 'handler';
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  /** Request headers that the route reads. */
  readonly headers?: z.ZodObject;
  readonly body?: BodyRule<Body>;
  /** By status; those of errors are the same for every route. */
  readonly responses: Readonly<Record<number, ResponseDoc>>;
  handle(input: RouteInput<z.output<Params>, z.output<Query>, z.output<Body>>): Promise<Answer>;
}

/** One row of the table: from it come the registration, the check of the token and the OpenAPI document. */
export type Route = Omit<RouteDefinition, 'handle'> & {
  handle(input: RouteInput<unknown, unknown, unknown>): Promise<Answer>;
};

export function route<
  Params extends z.ZodType = z.ZodUndefined,
  Query extends z.ZodType = z.ZodUndefined,
  Body extends z.ZodType = z.ZodUndefined,
>(definition: RouteDefinition<Params, Query, Body>): Route {
  return definition;
}

export function json(body: unknown): Answer {
  return { kind: 'json', status: 200, body };
}
