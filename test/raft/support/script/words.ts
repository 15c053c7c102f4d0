import type { RaftOptions } from '../../../../raft/config.ts';
import type { Configuration, Entry, MembershipChange, Message, NodeId, SnapshotMeta } from '../../../../raft/types.ts';
import { configuration, entries, node, nodes, OPTIONS } from '../builders.ts';

/** How scripts' arguments are read; what makes no sense throws, and the script shows it. */

/** `name=value` words by name, the others in order. */
export class Words {
  readonly plain: readonly string[];
  readonly #named: ReadonlyMap<string, string>;

  constructor(words: readonly string[]) {
    this.plain = words.filter((word) => !word.includes('='));
    const named = words.filter((word) => word.includes('='));
    this.#named = new Map(named.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]));
  }

  at(position: number): string {
    const word = this.plain[position];
    if (word === undefined) throw new Error(`an argument is missing, number ${position + 1}`);
    return word;
  }

  text(name: string): string | null {
    return this.#named.get(name) ?? null;
  }

  count(name: string, otherwise: number): number {
    return toCount(this.#named.get(name) ?? `${otherwise}`);
  }

  /** A list, written with commas. */
  list(name: string): readonly string[] {
    const text = this.#named.get(name) ?? '';
    return text === '' ? [] : text.split(',');
  }

  /** `1,1,2`: data entries of these terms, from `first` on. */
  log(name: string, first: number): Entry[] {
    return entries(this.list(name).map(toCount), first);
  }

  raftOptions(): Partial<RaftOptions> {
    const options: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(OPTIONS)) {
      const text = this.#named.get(name);
      if (text !== undefined) options[name] = typeof value === 'number' ? toCount(text) : text;
    }
    return options;
  }
}

export function toCount(text: string): number {
  const count = Number(text);
  if (text === '' || !Number.isSafeInteger(count) || count < 0) throw new Error(`${text} is not a number`);
  return count;
}

/** `x*300` is a text of 300 bytes. */
export function toData(word: string): string {
  const [text = '', times] = word.split('*');
  return times === undefined ? text : text.repeat(toCount(times));
}

/** `10@3`, with the voters that it names. */
export function toSnapshot(text: string, voters: readonly string[]): SnapshotMeta {
  const [index = '', term = ''] = text.split('@');
  return { index: toCount(index), term: toCount(term), configuration: configuration({ voters }) };
}

export function toConfiguration(words: Words, voters: readonly string[]): Configuration {
  return configuration({ voters, outgoing: words.list('outgoing'), learners: words.list('learners') });
}

export function toChange(words: Words): MembershipChange {
  const kind = words.at(1);
  switch (kind) {
    case 'addLearner':
    case 'promote':
    case 'demote':
    case 'remove':
      return { kind, node: node(words.at(2)) };
    case 'replace':
      return { kind, voters: nodes(...words.list('voters')), learners: nodes(...words.list('learners')) };
    default:
      throw new Error(`no change ${kind}`);
  }
}

const KINDS: Readonly<Record<string, Message['kind']>> = {
  append: 'appendEntries',
  ack: 'appendEntriesResponse',
  heartbeat: 'heartbeat',
  alive: 'heartbeatResponse',
  vote: 'requestVote',
  voted: 'requestVoteResponse',
  snapshot: 'installSnapshot',
  readIndex: 'readIndex',
  readAnswer: 'readIndexResponse',
  timeoutNow: 'timeoutNow',
};

/** `a>b`, `a>*`, `*>b` or `*`, and a kind or none: the messages that a command speaks of. */
export function toMatcher(link: string, kind: string | undefined): (message: Message) => boolean {
  const [from = '*', to = '*'] = link.split('>');
  const wanted = kind === undefined ? null : KINDS[kind];
  if (wanted === undefined) throw new Error(`no kind of message ${kind}`);
  const fits = (pattern: string, id: NodeId): boolean => pattern === '*' || pattern === id;
  return (message) => fits(from, message.from) && fits(to, message.to) && (wanted === null || message.kind === wanted);
}

/** A message that a script makes up: from an old term, or twice, or by another that takes itself for the leader. */
export function toMessage(link: string, kind: string, words: Words): Message {
  const [from = '', to = ''] = link.split('>');
  const envelope = { from: node(from), to: node(to), term: words.count('term', 0) };
  const session = words.text('session');
  switch (kind) {
    case 'append': {
      const prevLogIndex = words.count('after', 0);
      const prevLogTerm = words.count('afterTerm', 0);
      const leaderCommit = words.count('commit', 0);
      const added = words.log('log', prevLogIndex + 1);
      return { kind: 'appendEntries', ...envelope, prevLogIndex, prevLogTerm, entries: added, leaderCommit, session };
    }
    case 'ack': {
      const index = words.count('index', 0);
      const answer = { success: true, index, hintIndex: 0, hintTerm: 0, session: session ?? `${from}#1` };
      return { kind: 'appendEntriesResponse', ...envelope, ...answer };
    }
    case 'heartbeat':
      return { kind, ...envelope, commit: words.count('commit', 0), readRound: 0, sentTick: words.count('tick', 0) };
    case 'vote':
    case 'preVote': {
      const lastLogIndex = words.count('last', 0);
      const lastLogTerm = words.count('lastTerm', 0);
      return { kind: 'requestVote', phase: kind, reason: 'timeout', ...envelope, lastLogIndex, lastLogTerm };
    }
    case 'voted':
    case 'preVoted': {
      const phase = kind === 'voted' ? 'vote' : 'preVote';
      return { kind: 'requestVoteResponse', phase, granted: true, ...envelope };
    }
    case 'snapshot': {
      const snapshot = toSnapshot(words.text('at') ?? '', words.list('voters'));
      return { kind: 'installSnapshot', ...envelope, snapshot };
    }
    case 'timeoutNow':
      return { kind, ...envelope, expectedLastIndex: words.count('last', 0) };
    default:
      throw new Error(`no message ${kind}`);
  }
}
