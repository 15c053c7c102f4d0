import type { Effects, PersistRequest } from '../../../../raft/effects.ts';
import type { Entry, Message } from '../../../../raft/types.ts';
import { Cluster, type ClusterOptions } from '../cluster.ts';
import type { Member } from '../member.ts';
import { writeMessage, writeRange, writeResults, writeWrite } from './notation.ts';

/** The cluster of one script, and what its members did since the last command. */
export class Stage {
  #cluster: Cluster | null = null;
  #lines: string[] = [];
  #lastApplied: { readonly id: string; readonly entries: readonly Entry[]; readonly line: number } | null = null;
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
    if (this.detail === 'results') return;
    if (effects.committed.length > 0) this.#lines.push(`${member.id} may apply ${writeRange(effects.committed)}`);
    this.#writes(member, effects.persist);
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

  /** In one line when the portions follow each other. */
  #applied({ id }: Member, entries: readonly Entry[]): void {
    const before = this.#lastApplied;
    const goesOn = before?.id === id && before.line === this.#lines.length - 1;
    if (goesOn) this.#lines.pop();
    const together = goesOn ? [...before.entries, ...entries] : entries;
    this.#lines.push(`${id} applies ${writeRange(together)}`);
    this.#lastApplied = { id, entries: together, line: this.#lines.length - 1 };
  }
}
