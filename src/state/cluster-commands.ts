import type { TokenId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { ChangeSet } from './change-set.ts';
import { type Command, type CommandResult, refuse } from './commands.ts';
import { forgetNode, putNode } from './member-commands.ts';
import { type Asker, permitDelegation } from './permissions.ts';
import { EXPIRED_TOKEN_KEPT_MS } from './state.ts';

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>;

const DONE: CommandResult = { ok: true };

export function createCluster(changes: ChangeSet, { clusterId, auth }: Of<'createCluster'>): CommandResult {
  const { state, now } = changes;
  if (state.cluster === null) {
    state.cluster = { clusterId, auth, clock: now.at, submissions: 0 };
    return DONE;
  }
  if (state.cluster.clusterId === clusterId) return DONE;
  return refuse('wrongCluster', `this is the cluster ${state.cluster.clusterId}`);
}

/** Join tokens go, since their text names the cluster as it was. */
export function refoundCluster(changes: ChangeSet, { clusterId, keep }: Of<'refoundCluster'>): CommandResult {
  const { state } = changes;
  if (state.cluster === null) return refuse('wrongState', 'there is no cluster yet');
  state.cluster = { ...state.cluster, clusterId };
  // In the order of ids, which is the same at every replica.
  for (const node of [...new Set([...state.nodes.keys(), ...state.runners.keys()])].toSorted()) {
    if (node !== keep) forgetNode(changes, { kind: 'forgetNode', node });
  }
  changes.welcome(keep);
  for (const id of state.joinTokens.keys()) removeJoinToken(changes, id);
  return DONE;
}

export function createToken(changes: ChangeSet, command: Of<'createToken'>, asker: Asker): CommandResult {
  const { tokens, due } = changes.state;
  const { id, name, hash, scopes, expiresAt } = command;
  const refusal = permitDelegation(asker, scopes, expiresAt);
  if (refusal !== null) return refusal;
  const known = tokens.get(id);
  if (known !== undefined) return known.hash === hash ? DONE : refuse('conflict', 'the id of the token is taken');
  if (tokens.size >= LIMITS.tokens)
    return refuse('tooManyRequests', `the cluster has ${LIMITS.tokens} tokens (tokens)`);
  changes.putToken(id, { id, name, hash, scopes, expiresAt });
  if (expiresAt !== null) due.set({ kind: 'token', key: id, at: expiresAt + EXPIRED_TOKEN_KEPT_MS });
  return DONE;
}

/** Takes a token of either kind. */
export function revokeToken(changes: ChangeSet, { id }: Of<'revokeToken'>): CommandResult {
  const { state } = changes;
  if (state.tokens.has(id)) changes.putToken(id, null);
  else if (state.joinTokens.has(id)) removeJoinToken(changes, id);
  else return refuse('notFound', `no token has the id ${id}`);
  state.due.delete('token', id);
  return DONE;
}

function removeJoinToken(changes: ChangeSet, id: TokenId): void {
  changes.state.joinTokens.delete(id);
  changes.state.due.delete('joinToken', id);
  changes.record('joinToken', id, null);
}

export function createJoinToken(changes: ChangeSet, command: Of<'createJoinToken'>): CommandResult {
  const { joinTokens, due } = changes.state;
  const { id, hash, uses, expiresAt } = command;
  const known = joinTokens.get(id);
  if (known !== undefined) return known.hash === hash ? DONE : refuse('conflict', 'the id of the token is taken');
  if (uses > LIMITS.joinTokenUses)
    return refuse('tooLarge', `at most ${LIMITS.joinTokenUses} uses (joinTokenUses)`, 'uses');
  if (joinTokens.size >= LIMITS.tokens) {
    return refuse('tooManyRequests', `the cluster has ${LIMITS.tokens} join tokens (tokens)`);
  }
  const record = { id, hash, uses, usedBy: [], expiresAt };
  joinTokens.set(id, record);
  due.set({ kind: 'joinToken', key: id, at: expiresAt + EXPIRED_TOKEN_KEPT_MS });
  changes.record('joinToken', id, record);
  return DONE;
}

/** A node that joined with it may ask again, as one that did not hear the answer does. */
export function useJoinToken(changes: ChangeSet, command: Of<'useJoinToken'>): CommandResult {
  const { joinTokens } = changes.state;
  const { id, hash, node, addresses, version } = command;
  const token = joinTokens.get(id);
  if (token === undefined || token.hash !== hash) {
    return refuse('joinRefused', 'the join token is not known to this cluster, or was revoked');
  }
  const isAgain = token.usedBy.includes(node);
  if (!isAgain && token.expiresAt <= changes.now.at) return refuse('tokenExpired', 'the join token has expired');
  if (!isAgain && token.usedBy.length >= token.uses) {
    return refuse(
      'tokenUsedUp',
      `the join token was good for ${token.uses === 1 ? 'one node' : `${token.uses} nodes`}, and as many have used it`,
    );
  }
  const put = putNode(changes, { id: node, addresses, http: null, version });
  if (!put.ok || isAgain) return put;
  const used = { ...token, usedBy: [...token.usedBy, node] };
  joinTokens.set(id, used);
  changes.record('joinToken', id, used);
  return DONE;
}
