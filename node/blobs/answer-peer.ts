import { setTimeout as sleep } from 'node:timers/promises';
import { type BlobName, formatName } from '../../src/cas/digest.ts';
import type { NodeId } from '../../src/ids.ts';
import {
  type BulkRequest,
  decodeBulk,
  encodeHead,
  encodeHoldings,
  encodeProgress,
  type Holding,
} from './bulk-messages.ts';
import type { BlobLimits } from './limits.ts';
import type { LocalStore } from './local-store.ts';
import type { Peers } from './peers.ts';

/** What this node gives and takes when a member asks: only of what is on its own disk, so that nobody asks in circles. */
export class PeerAnswers {
  readonly #local: LocalStore;
  readonly #peers: () => Peers;
  readonly #limits: BlobLimits;
  readonly #taking = new Map<string, Promise<void>>();
  #taken = 0;

  /** @param dependencies `peers` is asked for when the first copy is taken */
  constructor(dependencies: { readonly local: LocalStore; readonly peers: () => Peers }, limits: BlobLimits) {
    this.#local = dependencies.local;
    this.#peers = dependencies.peers;
    this.#limits = limits;
  }

  /** Copies taken of other members since the start. */
  get taken(): number {
    return this.#taken;
  }

  /** @throws Rejection `notFound`, `invalidRequest`, `wrongVersion`, `hashMismatch`; Fault as the store */
  async *answer(from: NodeId, body: Uint8Array): AsyncGenerator<Uint8Array, void> {
    const request = decodeBulk(body);
    switch (request.kind) {
      case 'read': {
        const { name, start, end } = request;
        const { size, stream } = await this.#local.open(name, { start, end });
        yield encodeHead(size);
        yield* stream;
        return;
      }
      case 'have':
        yield encodeHoldings(await this.#holdings(request));
        return;
      case 'take':
        yield* this.#take(from, request);
        return;
      default:
        request satisfies never;
    }
  }

  async #holdings({ names, keepMs }: Extract<BulkRequest, { kind: 'have' }>): Promise<readonly Holding[]> {
    const absent: Holding = this.#local.space.isFull ? 'full' : 'none';
    if (keepMs === 0) return (await this.#local.sizes(names)).map((size) => (size === null ? absent : 'here'));
    const kept: Holding[] = [];
    for (const name of names) {
      const isHere = await this.#local.promise(name, Math.min(keepMs, this.#limits.keepMs));
      kept.push(isHere ? 'here' : absent);
    }
    return kept;
  }

  async *#take(from: NodeId, request: Extract<BulkRequest, { kind: 'take' }>): AsyncGenerator<Uint8Array, void> {
    const { name, size, pins } = request;
    const taking = this.#shared(from, name, size);
    let state: 'underWay' | 'durable' = 'underWay';
    const done = taking.then(() => {
      state = 'durable';
    });
    while (isUnderWay(state)) {
      await Promise.race([done, sleep(this.#limits.progressMs, undefined, { ref: false })]);
      if (isUnderWay(state)) yield encodeProgress('underWay');
    }
    await this.#local.pin(name, pins);
    yield encodeProgress('durable');
  }

  /** Several members may give the same at once. */
  #shared(from: NodeId, name: BlobName, size: number): Promise<void> {
    const key = formatName(name);
    const under = this.#taking.get(key);
    if (under !== undefined) return under;
    const taking = this.#fetch(from, name, size).finally(() => this.#taking.delete(key));
    this.#taking.set(key, taking);
    return taking;
  }

  async #fetch(from: NodeId, name: BlobName, size: number): Promise<void> {
    if ((await this.#local.stat(name)) !== null) return;
    const { stream } = await this.#peers().read(from, name, { start: 0, end: size });
    await this.#local.put(name, stream, { size, pins: [] });
    this.#taken += 1;
  }
}

/** What a callback may have changed meanwhile. */
function isUnderWay(state: 'underWay' | 'durable'): boolean {
  return state === 'underWay';
}
