import type { Logger } from 'pino';
import type { Incarnation, NodeId } from '../../src/ids.ts';
import { decodeDispatchAnswer, type DispatchAnswer, encodeDispatch } from '../dispatch-messages.ts';
import type { PeerNetwork } from '../p2p/network.ts';

export interface LeaseRenewalPort {
  leader(): NodeId | null;
  /** Nobody else could declare this runner lost. */
  isAlone(): boolean;
  renewHere(incarnation: Incarnation): DispatchAnswer;
  renewed(forMs: number | null): void;
  /** The leader does not know this incarnation as alive. */
  unknown(): void;
}

/** Renews this node's runner session at the leader; the time granted counts from the sending. */
export class LeaseRenewal {
  readonly #self: NodeId;
  readonly #network: PeerNetwork;
  readonly #logger: Logger;
  readonly #leaseMs: number;
  readonly #port: LeaseRenewalPort;
  #timer: NodeJS.Timeout | null = null;
  #incarnation: Incarnation | null = null;

  constructor(
    dependencies: { readonly self: NodeId; readonly network: PeerNetwork; readonly logger: Logger },
    options: { readonly leaseMs: number },
    port: LeaseRenewalPort,
  ) {
    this.#self = dependencies.self;
    this.#network = dependencies.network;
    this.#logger = dependencies.logger;
    this.#leaseMs = options.leaseMs;
    this.#port = port;
  }

  start(incarnation: Incarnation): void {
    this.#incarnation = incarnation;
    this.#timer ??= setInterval(() => void this.#renew(), this.#leaseMs / 5);
    void this.#renew();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#incarnation = null;
  }

  async #renew(): Promise<void> {
    const incarnation = this.#incarnation;
    if (incarnation === null) return;
    const sentAt = performance.now();
    const answer = await this.#ask(incarnation);
    if (incarnation !== this.#incarnation) return;
    if (answer === 'renewed') {
      this.#port.renewed(this.#port.isAlone() ? null : this.#leaseMs - (performance.now() - sentAt));
    } else if (answer === 'unknown') this.#port.unknown();
  }

  async #ask(incarnation: Incarnation): Promise<DispatchAnswer> {
    const leader = this.#port.leader();
    if (leader === null) return 'notLeader';
    if (leader === this.#self) return this.#port.renewHere(incarnation);
    const request = encodeDispatch({ kind: 'renewLease', runner: this.#self, incarnation });
    try {
      const timeoutMs = this.#leaseMs / 5;
      return decodeDispatchAnswer(await this.#network.request(leader, 'dispatch', request, { timeoutMs }));
    } catch (error) {
      this.#logger.debug({ err: error, leader }, 'the lease was not renewed');
      return 'notLeader';
    }
  }
}
