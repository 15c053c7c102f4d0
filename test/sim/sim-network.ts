import { crc32 } from 'node:zlib';
import type { Channel, NetworkStats, PeerNetwork } from '../../node/p2p/network.ts';
import { Fault } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Chance } from './chance.ts';
import type { EventLoop, Owner } from './event-loop.ts';
import type { Tally } from './tally.ts';
import type { Trace } from './trace.ts';

export interface NetworkTimes {
  /** Milliseconds of a usual way, at least and at most. */
  readonly delayMs: readonly [number, number];
}

/** How likely each misfortune of a message is, while the network is out of order. */
export interface NetworkFaults {
  readonly drop: number;
  readonly duplicate: number;
  readonly delay: number;
  /** A late message comes up to so many milliseconds late. */
  readonly delayMs: number;
  readonly requestLost: number;
  readonly answerLost: number;
  /** Of one chunk of a stream. */
  readonly streamCut: number;
}

export const NO_FAULTS: NetworkFaults = {
  drop: 0,
  duplicate: 0,
  delay: 0,
  delayMs: 0,
  requestLost: 0,
  answerLost: 0,
  streamCut: 0,
};

/** A stream between two members breaks so long after one of them is gone. */
const BREAK_MS = [20, 300] as const;
/** Chunks of a stream are cut down to this, so that it can break in the middle of a small snapshot. */
const CHUNK_BYTES = 8 * 1024;

export interface NetworkParts {
  readonly loop: EventLoop;
  readonly chance: Chance;
  readonly tally: Tally;
  readonly trace: Trace;
}

/** All links between all nodes. */
export class SimNetwork {
  readonly parts: NetworkParts;
  readonly #times: NetworkTimes;
  readonly #ends = new Map<NodeId, NetworkEnd>();
  readonly #cut = new Set<string>();
  /** What waits at a clogged link, by link. */
  readonly #clogged = new Map<string, (() => void)[]>();
  faults: NetworkFaults = NO_FAULTS;

  constructor(parts: NetworkParts, times: NetworkTimes) {
    this.parts = parts;
    this.#times = times;
  }

  attach(self: NodeId, owner: Owner): NetworkEnd {
    const end = new NetworkEnd(this, self, owner);
    this.#ends.set(self, end);
    return end;
  }

  /** Whoever is up under this id. */
  end(id: NodeId): NetworkEnd | null {
    const end = this.#ends.get(id);
    return end === undefined || end.owner.life === 'dead' ? null : end;
  }

  cut(from: NodeId, to: NodeId): void {
    this.#cut.add(linkOf(from, to));
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cut.has(linkOf(from, to));
  }

  clog(from: NodeId, to: NodeId): void {
    const link = linkOf(from, to);
    if (!this.#clogged.has(link)) this.#clogged.set(link, []);
  }

  /** What waited goes now, in its order or in another. */
  unclog(from: NodeId, to: NodeId, order: 'kept' | 'shuffled'): void {
    const waiting = this.#clogged.get(linkOf(from, to)) ?? [];
    this.#clogged.delete(linkOf(from, to));
    for (const arrive of order === 'kept' ? waiting : this.parts.chance.shuffled(waiting)) arrive();
  }

  /** Takes what waits at a clogged link out of the network, and opens the link. */
  takeClogged(from: NodeId, to: NodeId): readonly (() => void)[] {
    const taken = this.#clogged.get(linkOf(from, to)) ?? [];
    this.#clogged.delete(linkOf(from, to));
    return taken;
  }

  joinLinks(): void {
    this.#cut.clear();
  }

  unclogAll(): void {
    for (const link of this.#clogged.keys()) {
      const [from, to] = link.split(' ') as [NodeId, NodeId];
      this.unclog(from, to, 'kept');
    }
  }

  /** Brings something over, at most once. @param receiver of now; when it is gone by then, nothing arrives */
  carry(from: NodeId, to: NodeId, receiver: Owner, arrive: () => void): 'underWay' | 'lost' {
    if (this.#cut.has(linkOf(from, to))) return 'lost';
    const go = (): void => this.parts.loop.in(this.delay(), receiver, arrive);
    const clogged = this.#clogged.get(linkOf(from, to));
    if (clogged === undefined) go();
    else clogged.push(go);
    return 'underWay';
  }

  /** Does a fault with its probability happen now? */
  strikes(name: keyof NetworkFaults): boolean {
    const probability = this.faults[name];
    if (probability === 0 || !this.parts.chance.happens(probability)) return false;
    this.parts.tally.add(name);
    return true;
  }

  delay(): number {
    const [least, most] = this.#times.delayMs;
    const usual = this.parts.chance.between(least, most);
    return this.strikes('delay') ? usual + this.parts.chance.float() * this.faults.delayMs : usual;
  }
}

type FrameHandler = Parameters<PeerNetwork['onRaft']>[0];
type RequestHandler = Parameters<PeerNetwork['handle']>[1];
type OpenHandler = Parameters<PeerNetwork['handleOpen']>[0];

/** One node's end of the network, for one start of it. */
export class NetworkEnd implements PeerNetwork {
  readonly self: NodeId;
  readonly owner: Owner;
  readonly #network: SimNetwork;
  readonly #handlers = new Map<Channel, RequestHandler>();
  #onRaft: FrameHandler | null = null;
  #onOpen: OpenHandler | null = null;

  constructor(network: SimNetwork, self: NodeId, owner: Owner) {
    this.#network = network;
    this.self = self;
    this.owner = owner;
  }

  sendRaft(to: NodeId, frame: Uint8Array): 'sent' | 'dropped' {
    const network = this.#network;
    const { trace } = network.parts;
    trace.mix(crc32(frame));
    if (this.owner.life === 'dead') return 'dropped';
    const receiver = network.end(to);
    if (receiver === null) return 'dropped';
    if (network.isCut(this.self, to)) return network.parts.chance.happens(0.5) ? 'dropped' : 'sent';
    if (network.strikes('drop')) return 'sent';
    const copies = network.strikes('duplicate') ? 2 : 1;
    for (let i = 0; i < copies; i += 1) {
      network.carry(this.self, to, receiver.owner, () => receiver.#onRaft?.(this.self, frame));
    }
    return 'sent';
  }

  onRaft(handler: FrameHandler): void {
    this.#onRaft = handler;
  }

  request(
    to: NodeId,
    channel: Channel,
    body: Uint8Array,
    options: { readonly timeoutMs: number },
  ): Promise<Uint8Array> {
    const { loop, chance, trace } = this.#network.parts;
    trace.mix(crc32(body));
    return new Promise((resolve, reject) => {
      let state: 'open' | 'settled' = 'open';
      const fail = (code: 'peerUnreachable' | 'timedOut'): void => {
        if (state === 'open') reject(new Fault(code, `no answer of ${to}`));
        state = 'settled';
      };
      const breaks = (): void =>
        loop.in(Math.min(chance.between(...BREAK_MS), options.timeoutMs), this.owner, () => fail('peerUnreachable'));
      const receiver = this.#network.end(to);
      if (receiver === null) {
        breaks();
        return;
      }
      loop.in(options.timeoutMs, this.owner, () => fail('timedOut'));
      const answer = (settle: () => void): void => {
        if (this.owner.life === 'dead') return;
        const goes = !this.#network.strikes('answerLost');
        const arrive = (): void => {
          state = 'settled';
          settle();
        };
        if (!goes || this.#network.carry(to, this.self, this.owner, arrive) === 'lost') breaks();
      };
      const ask = (): void => {
        const handler = receiver.#handlers.get(channel);
        if (handler === undefined) return;
        void handler(this.self, body)
          .then(
            (bytes) => answer(() => resolve(bytes)),
            (error: unknown) => answer(() => reject(error instanceof Error ? error : new Error(String(error)))),
          )
          .finally(() => receiver.#underWay.delete(breaks));
      };
      receiver.#underWay.add(breaks);
      const goes = !this.#network.strikes('requestLost');
      if (!goes || this.#network.carry(this.self, to, receiver.owner, ask) === 'lost') breaks();
    });
  }

  /** Callers whose question this node was about to answer: their streams break when it dies. */
  readonly #underWay = new Set<() => void>();

  breakStreams(): void {
    for (const breaks of this.#underWay) breaks();
    this.#underWay.clear();
  }

  handle(channel: Channel, handler: RequestHandler): void {
    if (!this.#handlers.has(channel)) this.#handlers.set(channel, handler);
  }

  async *open(to: NodeId, body: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const receiver = this.#network.end(to);
    if (receiver === null) throw await this.#broken(to);
    const chunks = receiver.#onOpen?.(this.self, body, signal)[Symbol.asyncIterator]();
    if (chunks === undefined) throw await this.#broken(to);
    try {
      for (let first = true; ; first = false) {
        const chunk = await this.#pull(receiver, signal, () => chunks.next());
        if (chunk.done === true) return;
        const size = first ? chunk.value.length : CHUNK_BYTES;
        for (let at = 0; at < chunk.value.length; at += size) {
          if (at > 0) await this.#pull(receiver, signal, async () => undefined);
          yield chunk.value.subarray(at, at + size);
        }
      }
    } finally {
      void chunks.return?.();
    }
  }

  /** One step of a stream: there and back. */
  #pull<Value>(receiver: NetworkEnd, signal: AbortSignal, next: () => Promise<Value>): Promise<Value> {
    const network = this.#network;
    return new Promise((resolve, reject) => {
      const fail = (): void => void this.#broken(receiver.self).then(reject);
      if (receiver.owner.life === 'dead' || signal.aborted || network.strikes('streamCut')) {
        fail();
        return;
      }
      receiver.#underWay.add(fail);
      signal.addEventListener('abort', fail, { once: true });
      const back = (settle: () => void): void => {
        receiver.#underWay.delete(fail);
        signal.removeEventListener('abort', fail);
        if (network.carry(receiver.self, this.self, this.owner, settle) === 'lost') fail();
      };
      const there = (): void =>
        void next().then(
          (value) => back(() => resolve(value)),
          (error: unknown) => back(() => reject(error instanceof Error ? error : new Error(String(error)))),
        );
      if (network.carry(this.self, receiver.self, receiver.owner, there) === 'lost') fail();
    });
  }

  #broken(to: NodeId): Promise<Fault> {
    const { loop, chance } = this.#network.parts;
    return new Promise((resolve) =>
      loop.in(chance.between(...BREAK_MS), this.owner, () =>
        resolve(new Fault('peerUnreachable', `the stream to ${to} broke`)),
      ),
    );
  }

  handleOpen(handler: OpenHandler): void {
    this.#onOpen = handler;
  }

  /** The rest of the port: the replica asks for none of it. */
  addresses(): readonly string[] {
    return [];
  }
  setMembers(): void {}
  foreign(): readonly NodeId[] {
    return [];
  }

  connected(): readonly NodeId[] {
    return [];
  }
  onConnectivity(): void {}
  publishCapacity(): void {}
  onCapacity(): void {}
  onJoin(): void {}
  join(): Promise<Uint8Array> {
    return Promise.reject(new Fault('peerUnreachable', 'nobody joins here'));
  }
  stats(): NetworkStats {
    return { members: 0, connected: 0, bytesSent: 0, bytesReceived: 0, framesDropped: 0 };
  }
  async close(): Promise<void> {}
}

function linkOf(from: NodeId, to: NodeId): string {
  return `${from} ${to}`;
}
