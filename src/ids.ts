/** Identifiers are strings that the type checker keeps apart. */
export type JobId = string & { readonly __brand: 'JobId' };
/** A node's libp2p peer id. A runner has the id of the node that it belongs to. */
export type NodeId = string & { readonly __brand: 'NodeId' };
/** Names one start of a runner process; results carry it, so that those of an older one are refused. */
export type Incarnation = string & { readonly __brand: 'Incarnation' };
/** Names an open-ended set of jobs. */
export type GroupId = string & { readonly __brand: 'GroupId' };
export type TokenId = string & { readonly __brand: 'TokenId' };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isJobId(text: string): text is JobId {
  return UUID.test(text);
}

export function isGroupId(text: string): text is GroupId {
  return UUID.test(text);
}

const COUNTED_DIGITS = 12;

/** The id of a batch's line: counted from the base, whose last twelve digits leave room for that. */
export function lineId(base: JobId, line: number): JobId {
  const count = Number.parseInt(base.slice(-COUNTED_DIGITS), 16) + line;
  return `${base.slice(0, -COUNTED_DIGITS)}${count.toString(16).padStart(COUNTED_DIGITS, '0').slice(-COUNTED_DIGITS)}` as JobId;
}

/** A job id made into one that a batch's lines are counted from. */
export function batchBase(id: JobId): JobId {
  const first = Number.parseInt(id.at(-COUNTED_DIGITS) ?? '0', 16) & 7;
  return `${id.slice(0, -COUNTED_DIGITS)}${first.toString(16)}${id.slice(1 - COUNTED_DIGITS)}` as JobId;
}
