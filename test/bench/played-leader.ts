import { setImmediate as turn } from 'node:timers/promises';
import { decodeMessage, encodeMessage } from '../../node/p2p/raft-codec.ts';
import type { PeerNetwork } from '../../node/p2p/network.ts';
import type { Entry, Message, NodeId } from '../../raft/types.ts';
import { smallEntry } from './planted-data.ts';

const TERM = 1;
const ENTRIES_TOGETHER = 1_000;
const APPENDS_IN_FLIGHT = 8;
const HEARTBEAT_MS = 50;

/** The network of a follower whose only peer is a leader that always has more entries. */
export class PlayedLeader {
  readonly self = 'leader' as NodeId;
  readonly follower = 'follower' as NodeId;
  readonly network: PeerNetwork;
  #deliver: Parameters<PeerNetwork['onRaft']>[0] = () => undefined;
  #sent = 0;
  #acknowledged = 0;

  constructor() {
    this.network = this.#playNetwork();
    setInterval(() => this.#heartbeat(), HEARTBEAT_MS).unref();
  }

  /** Sends entries until the follower has applied those up to `index`. */
  async bringTo(index: number, applied: () => number): Promise<void> {
    while (applied() < index) {
      const isFull = this.#sent - this.#acknowledged >= APPENDS_IN_FLIGHT * ENTRIES_TOGETHER;
      if (this.#sent < index && !isFull) this.#append(Math.min(ENTRIES_TOGETHER, index - this.#sent));
      else if (this.#sent === index) this.#heartbeat();
      await turn();
    }
  }

  #append(count: number): void {
    const prevLogIndex = this.#sent;
    const entries = Array.from({ length: count }, (_, position) => entryAt(prevLogIndex + position + 1));
    this.#sent += count;
    this.#send({
      kind: 'appendEntries',
      ...this.#envelope(),
      prevLogIndex,
      prevLogTerm: prevLogIndex === 0 ? 0 : TERM,
      entries,
      leaderCommit: this.#acknowledged,
      session: null,
    });
  }

  #heartbeat(): void {
    if (this.#sent === 0) return;
    const [readRound, sentTick] = [0, 0];
    this.#send({ kind: 'heartbeat', ...this.#envelope(), commit: this.#acknowledged, readRound, sentTick });
  }

  #envelope() {
    return { from: this.self, to: this.follower, term: TERM };
  }

  #send(message: Message): void {
    this.#deliver(this.self, encodeMessage(message));
  }

  #receive(frame: Uint8Array): void {
    const message = decodeMessage(frame);
    if (message?.kind === 'appendEntriesResponse' && message.success) {
      this.#acknowledged = Math.max(this.#acknowledged, message.index);
    }
  }

  /** What a replica needs of a network that nobody else is on. */
  #playNetwork(): PeerNetwork {
    return {
      self: this.follower,
      sendRaft: (_to: NodeId, frame: Uint8Array) => {
        this.#receive(frame);
        return 'sent';
      },
      onRaft: (handler: Parameters<PeerNetwork['onRaft']>[0]) => void (this.#deliver = handler),
      handle: () => undefined,
    } as unknown as PeerNetwork;
  }
}

function entryAt(index: number): Entry {
  return smallEntry(index, TERM, index);
}
