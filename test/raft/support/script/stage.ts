import type { Effects, PersistRequest } from '../../../../raft/effects.ts';
import type { Index, Message } from '../../../../raft/types.ts';
import { Cluster, type ClusterOptions } from '../cluster.ts';
import type { Member } from '../member.ts';
import { writeMessage, writeResults, writeWrite } from './notation.ts';

/** The cluster of one script, and what its members did since the last command. */
export class Stage {
  #cluster: Cluster | null = null;
  #lines: string[] = [];
  #lastApplied: { readonly id: string; readonly first: Index; readonly last: Index; readonly line: number } | null =
    null;
  /** `all`: also what is sent and written. */
  detail: 'all' | 'results' = 'all';
  /** Messages that a script took out of the network, by the name that it gave them. */
  readonly kept = new Map<string, readonly Message[]>();

  get cluster(): Cluster {
    if (this.#cluster === null) throw new Error('a script begins with the command cluster');
    return this.#cluster;
  }

  begin(options: ClusterOptions): void {
    if (this.#cluster !== null) throw new Error('a script has one cluster');
    this.#cluster = new Cluster({
      ...options,
      observer: {
        stepped: (member, effects) => this.#stepped(member, effects),
        sent: (message) => this.#sent(message),
        applied: (member, entries) => this.#applied(member, entries),
      },
    });
  }

  print(line: string): void {
    this.#lines.push(line);
  }

  takeLines(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#lastApplied = null;
    return lines;
  }

  /** Runs something to a fixed point, of which only the results are of interest. */
  quietly(act: () => void): void {
    this.detail = 'results';
    try {
      act();
    } finally {
      this.detail = 'all';
    }
  }

  #stepped(member: Member, effects: Effects): void {
    this.#lines.push(...writeResults(member, effects));
    if (this.detail === 'all') this.#writes(member, effects.persist);
  }

  #writes(member: Member, requests: readonly PersistRequest[]): void {
    for (const request of requests) {
      this.#lines.push(writeWrite(member, request));
      for (const message of request.messages) this.#lines.push(`  then ${writeMessage(message)}`);
    }
  }

  #sent(message: Message): void {
    if (this.detail === 'all') this.#lines.push(writeMessage(message));
  }

  /** Portions that follow each other are one line. */
  #applied({ id }: Member, entries: readonly { readonly index: Index }[]): void {
    const [first, last] = [entries[0]?.index, entries.at(-1)?.index];
    if (first === undefined || last === undefined) return;
    const before = this.#lastApplied;
    const goesOn = before?.id === id && before.line === this.#lines.length - 1 && before.last + 1 === first;
    const from = goesOn ? before.first : first;
    if (goesOn) this.#lines.pop();
    this.#lines.push(`${id} applies ${from === last ? from : `${from}..${last}`}`);
    this.#lastApplied = { id, first: from, last, line: this.#lines.length - 1 };
  }
}
