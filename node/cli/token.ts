import { type Scope, SCOPES } from '../../src/auth.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatCount } from './format.ts';
import type { ConnectionOptions } from './options.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface TokenCreateOptions extends ConnectionOptions {
  readonly name?: string;
  readonly scope?: readonly string[];
  readonly ttl?: string;
  readonly join?: true;
  readonly uses?: number;
}

/** Prints the token alone, so that it can be put into a file or a variable; the rest goes to standard error. */
export async function tokenCreate(
  context: CommandContext,
  _operands: readonly [],
  options: TokenCreateOptions,
): Promise<number> {
  if (options.join === true) return createJoinToken(context, options);
  if (options.uses !== undefined) throw new UsageError('--uses is for join tokens', 'add --join');
  const scopes = scopesOf(options.scope ?? []);
  const request = { name: options.name ?? 'cli', scopes, ...(options.ttl === undefined ? {} : { ttl: options.ttl }) };
  const created = await connect(context, options).tokens.create(request);
  if (options.json === true) await context.stdout.json(created);
  else await context.stdout.line(created.token);
  return EXIT.done;
}

async function createJoinToken(context: CommandContext, options: TokenCreateOptions): Promise<number> {
  const { uses, ttl } = options;
  const created = await connect(context, options).tokens.createForJoining({
    ...(uses === undefined ? {} : { uses }),
    ...(ttl === undefined ? {} : { ttl }),
  });
  if (options.json === true) {
    await context.stdout.json(created);
    return EXIT.done;
  }
  await context.stdout.line(created.token);
  const until = `good for ${formatCount(created.uses, 'node')} until ${created.expiresAt}`;
  await context.stderr.line(`${until}; on the next machine:  quorate up --join TOKEN`);
  return EXIT.done;
}

function scopesOf(texts: readonly string[]): readonly Scope[] {
  const known = SCOPES as readonly string[];
  const list = `--scope is one of ${SCOPES.join(', ')}`;
  if (texts.length === 0) throw new UsageError('a token needs at least one scope', list);
  const unknown = texts.find((text) => !known.includes(text));
  if (unknown !== undefined) throw new UsageError(`there is no scope ${unknown}`, list);
  return texts as readonly Scope[];
}

export async function tokenList(
  context: CommandContext,
  _operands: readonly [],
  options: ConnectionOptions,
): Promise<number> {
  const tokens = await connect(context, options).tokens.list();
  if (options.json === true) {
    for (const token of tokens) await context.stdout.json(token);
    return EXIT.done;
  }
  const rows = tokens.map(({ id, name, scopes, expiresAt }) => [id, name, expiresAt ?? 'never', scopes.join(' ')]);
  await context.stdout.line(table(['ID', 'NAME', 'EXPIRES', 'SCOPES'], rows, context.stdout.columns));
  return EXIT.done;
}

export async function tokenRevoke(
  context: CommandContext,
  [id]: readonly [id: string],
  options: ConnectionOptions,
): Promise<number> {
  await connect(context, options).tokens.revoke(id);
  if (options.json === true) await context.stdout.json({ id, revoked: true });
  else await context.stdout.line(`${id} revoked`);
  return EXIT.done;
}
