import type { NodeId } from '../../src/ids.ts';

/** A member as the main thread tells of it. */
export interface BlobMember {
  readonly id: NodeId;
  /** Where it takes bytes; null: it has not said, so it holds none. */
  readonly addresses: readonly string[] | null;
  /** Another one when what it held may be gone. */
  readonly store: string | null;
  readonly connected: boolean;
  /** It was asked to leave for good. */
  readonly leaving: boolean;
}

export interface HoldersOptions {
  readonly self: NodeId;
  /** A member that is away for so long holds nothing any more, until it is back. */
  readonly goneAfterMs: number;
}

/** Which members hold blobs, as far as this node knows. Each has its own view; they become the same. */
export class Holders {
  readonly #options: HoldersOptions;
  #members: readonly BlobMember[] = [];
  #selfLeaves = false;
  readonly #awaySince = new Map<NodeId, number>();

  constructor(options: HoldersOptions) {
    this.#options = options;
  }

  /**
   * @param members all but this node
   * @param now milliseconds of a clock that does not jump
   */
  update(members: readonly BlobMember[], selfLeaves: boolean, now: number): void {
    this.#members = members;
    this.#selfLeaves = selfLeaves;
    const away = new Set(members.filter(({ connected }) => !connected).map(({ id }) => id));
    for (const id of this.#awaySince.keys()) if (!away.has(id)) this.#awaySince.delete(id);
    for (const id of away) if (!this.#awaySince.has(id)) this.#awaySince.set(id, now);
  }

  /** Those among which the copies are laid out: this node too, unless it leaves. */
  all(now: number): readonly NodeId[] {
    const others = this.#members.filter((member) => this.#counts(member, now)).map(({ id }) => id);
    return this.#selfLeaves ? others : [this.#options.self, ...others];
  }

  /** Other members that can be asked now. */
  reachable(): readonly NodeId[] {
    return this.#members.filter(({ connected, addresses }) => connected && addresses !== null).map(({ id }) => id);
  }

  /** What is different when blobs may have to move: who holds them, and with which store. */
  fingerprint(now: number): string {
    const counted = this.#members.filter((member) => this.#counts(member, now));
    const others = counted.map(({ id, store, connected }) => `${id} ${store} ${connected}`);
    return [String(this.#selfLeaves), ...others.toSorted()].join(',');
  }

  /** When the next member that is away stops counting; null: none. */
  nextGoneAt(now: number): number | null {
    const times = [...this.#awaySince.values()].map((since) => since + this.#options.goneAfterMs);
    const coming = times.filter((at) => at > now);
    return coming.length === 0 ? null : Math.min(...coming);
  }

  #counts({ id, addresses, leaving }: BlobMember, now: number): boolean {
    const since = this.#awaySince.get(id);
    return addresses !== null && !leaving && (since === undefined || now - since < this.#options.goneAfterMs);
  }
}
