import type { History, Operation } from './history.ts';

/** A call or a return in the order of their times, in a list from which operations are lifted and put back. */
export interface Entry<Input, Output> {
  readonly kind: 'head' | 'call' | 'return';
  /** Of the operation in the history; its bit in the set of those linearized. */
  readonly index: number;
  /** Place in the whole list. */
  readonly position: number;
  /** Null for the head only. */
  readonly operation: Operation<Input, Output> | null;
  /** Of a call whose operation returned. */
  match: Entry<Input, Output> | null;
  previous: Entry<Input, Output> | null;
  next: Entry<Input, Output> | null;
}

interface Event {
  readonly kind: 'call' | 'return';
  readonly index: number;
  readonly time: number;
}

/** @returns the head; open operations have no return in the list */
export function linkEntries<Input, Output>(history: History<Input, Output>): Entry<Input, Output> {
  const head = newEntry<Input, Output>('head', -1, -1, null);
  const calls = new Map<number, Entry<Input, Output>>();
  let last = head;
  for (const [position, { kind, index }] of sortedEvents(history).entries()) {
    const entry = newEntry(kind, index, position, history[index] ?? null);
    if (kind === 'call') calls.set(index, entry);
    else (calls.get(index) ?? head).match = entry;
    entry.previous = last;
    last.next = entry;
    last = entry;
  }
  return head;
}

/** Takes a call and its return out; they keep their own links, so that `putBack` finds their places. */
export function lift<Input, Output>(call: Entry<Input, Output>): void {
  unlink(call);
  if (call.match !== null) unlink(call.match);
}

/** In the opposite order of the lifts. */
export function putBack<Input, Output>(call: Entry<Input, Output>): void {
  if (call.match !== null) relink(call.match);
  relink(call);
}

function unlink<Input, Output>(entry: Entry<Input, Output>): void {
  if (entry.previous !== null) entry.previous.next = entry.next;
  if (entry.next !== null) entry.next.previous = entry.previous;
}

function relink<Input, Output>(entry: Entry<Input, Output>): void {
  if (entry.previous !== null) entry.previous.next = entry;
  if (entry.next !== null) entry.next.previous = entry;
}

function newEntry<Input, Output>(
  kind: Entry<Input, Output>['kind'],
  index: number,
  position: number,
  operation: Operation<Input, Output> | null,
): Entry<Input, Output> {
  return { kind, index, position, operation, match: null, previous: null, next: null };
}

/** Calls before returns of the same time: what touches counts as concurrent. */
function sortedEvents<Input, Output>(history: History<Input, Output>): readonly Event[] {
  const events: Event[] = [];
  for (const [index, operation] of history.entries()) {
    if (operation.return !== null && !(operation.return >= operation.call)) {
      throw new Error(`operation ${index} of client ${operation.client} returned before it was called`);
    }
    events.push({ kind: 'call', index, time: operation.call });
    if (operation.return !== null) events.push({ kind: 'return', index, time: operation.return });
  }
  const rank = (event: Event) => (event.kind === 'call' ? 0 : 1);
  return events.sort((a, b) => a.time - b.time || rank(a) - rank(b) || a.index - b.index);
}
