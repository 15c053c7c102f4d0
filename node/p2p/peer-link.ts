import type { Connection, PeerId } from '@libp2p/interface';
import type { Logger } from 'pino';
import type { BulkConnections } from './bulk-connections.ts';
import type { Host } from './libp2p-host.ts';
import type { NetworkLimits } from './limits.ts';
import type { PeerFinder } from './peer-finder.ts';
import { PeerSession } from './peer-session.ts';
import type { ClusterProtocols } from './protocols.ts';
import { Redial } from './redial.ts';
import type { RpcMetrics } from './rpc-channel.ts';
import type { TrafficMeter } from './traffic.ts';

export interface PeerLinkDependencies {
  readonly host: Host;
  readonly peer: PeerId;
  readonly protocols: ClusterProtocols;
  readonly bulk: BulkConnections;
  readonly finder: PeerFinder;
  readonly meter: TrafficMeter;
  readonly rpcMetrics: RpcMetrics;
  readonly logger: Logger;
  readonly random: () => number;
  readonly onState: (state: 'up' | 'down', connection: Connection) => void;
}

/**
 * Keeps one member connected. At most one session is in use and one being opened; every further connection is
 * tolerated until its dialler closes it. Each end chooses for what it sends, so they need not agree.
 */
export class PeerLink {
  readonly #dependencies: PeerLinkDependencies;
  readonly #limits: NetworkLimits;
  readonly #redial: Redial;
  readonly #retiring = new Set<PeerSession>();
  /** The connections dialled by the smaller id win a race. */
  readonly #winner: 'inbound' | 'outbound';
  #current: PeerSession | null = null;
  #opening: PeerSession | null = null;
  /** How often in a row the peer did not know this cluster's protocols. */
  #foreignAnswers = 0;
  #stopped = false;

  constructor(dependencies: PeerLinkDependencies, limits: NetworkLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
    const { host, peer, finder, logger, random } = dependencies;
    this.#winner = host.peerId.toString() < peer.toString() ? 'outbound' : 'inbound';
    this.#redial = new Redial(
      { host, peer, finder, logger, random, onConnection: (connection) => this.adopt(connection) },
      limits,
    );
  }

  /** The session that the peer answers on, null while the peer is down. */
  get session(): PeerSession | null {
    return this.#current;
  }

  /** The peer is up as a node of another cluster. */
  get isForeign(): boolean {
    return this.#foreignAnswers >= this.#limits.foreignAnswers;
  }

  setAddresses(addresses: readonly string[]): void {
    this.#redial.setAddresses(addresses);
  }

  start(): void {
    const { host, peer, bulk } = this.#dependencies;
    const connection = host.getConnections(peer).find((known) => known.status === 'open' && !bulk.holds(known));
    if (connection === undefined) this.#dial();
    else this.adopt(connection);
  }

  /** Every connection with this peer that is not for bulk comes by here; it becomes the session's or is left alone. */
  adopt(connection: Connection): void {
    if (this.#stopped || connection.status !== 'open') return this.#dialIfAlone();
    const rival = this.#opening ?? this.#current;
    if (rival?.connection === connection || this.#current?.connection === connection) return;
    if (rival !== null && rival.connection.status === 'open' && !this.#replaces(connection, rival)) {
      if (connection.direction === 'outbound') connection.abort(new Error('a doubled connection'));
      return;
    }
    this.#redial.stop();
    this.#discardOpening(new Error('a newer connection took its place'));
    this.#open(connection);
  }

  /** Ends everything with this peer but its connections, which the caller closes or aborts. Answers go out before. */
  stop(reason: Error): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#redial.stop();
    for (const session of [this.#opening, ...this.#retiring]) session?.end(reason);
    this.#opening = null;
    this.#retiring.clear();
    const current = this.#current;
    this.#current = null;
    if (current === null) return;
    current.end(reason);
    this.#dependencies.onState('down', current.connection);
  }

  #dial(): void {
    if (this.#stopped) return;
    this.#redial.start(
      this.#winner === 'outbound' ? 0 : this.#limits.politeDialMs * (0.5 + this.#dependencies.random()),
    );
  }

  #dialIfAlone(): void {
    if (this.#current === null && this.#opening === null) this.#dial();
  }

  /**
   * A peer that has a working connection does not dial: a newer one says that the older is gone at the other end. Only
   * two that were opened by both ends at once are settled by who dialled.
   */
  #replaces(connection: Connection, rival: PeerSession): boolean {
    const race =
      connection.direction !== rival.connection.direction &&
      performance.now() - rival.openedAt < this.#limits.simultaneousMs;
    return !race || connection.direction === this.#winner;
  }

  #open(connection: Connection): void {
    const { protocols, meter, rpcMetrics, logger, random } = this.#dependencies;
    const session: PeerSession = new PeerSession(
      {
        connection,
        protocols,
        meter,
        rpcMetrics,
        logger,
        random,
        onReady: () => this.#ready(session),
        onForeign: () => this.#foreign(),
        onDead: (reason) => this.#dead(session, reason),
      },
      this.#limits,
    );
    this.#opening = session;
  }

  #foreign(): void {
    this.#foreignAnswers += 1;
    if (this.#foreignAnswers !== this.#limits.foreignAnswers) return;
    const peer = this.#dependencies.peer.toString();
    this.#dependencies.logger.error(
      { peer },
      'a member is up as a node of another cluster: this one was recovered from it, or it was restored; ' +
        'if that was meant, bring this node over with `quorate rejoin`',
    );
  }

  #ready(session: PeerSession): void {
    if (this.#opening !== session) return;
    this.#opening = null;
    this.#foreignAnswers = 0;
    this.#redial.proved();
    const before = this.#current;
    this.#current = session;
    if (before === null) this.#dependencies.onState('up', session.connection);
    else this.#retire(before);
  }

  #dead(session: PeerSession, reason: Error): void {
    session.connection.abort(reason);
    this.#retiring.delete(session);
    if (this.#opening === session) this.#opening = null;
    if (this.#current === session) this.#lost(session, reason);
    this.#dialIfAlone();
  }

  #lost(session: PeerSession, reason: Error): void {
    this.#current = null;
    session.end(reason);
    session.connection.abort(reason);
    const { host, peer, bulk, logger, onState } = this.#dependencies;
    // Whatever took the peer away took its bulk connections too, or will; their readers must not wait for that, nor
    // may the next dial find one of them.
    bulk.drop(peer, reason);
    for (const connection of host.getConnections(peer)) if (bulk.holds(connection)) connection.abort(reason);
    logger.debug({ peer: peer.toString(), reason: reason.message }, 'lost the session with a member');
    onState('down', session.connection);
  }

  #discardOpening(reason: Error): void {
    const opening = this.#opening;
    this.#opening = null;
    if (opening !== null) this.#drop(opening, reason);
  }

  /** The older of two: what was asked on it may still be answered. */
  #retire(session: PeerSession): void {
    this.#retiring.add(session);
    const startedAt = performance.now();
    const check = setInterval(() => {
      const late = performance.now() - startedAt > this.#limits.retireMs;
      if (this.#retiring.has(session) && session.inflight > 0 && !late) return;
      clearInterval(check);
      if (this.#stopped) return;
      this.#drop(session, new Error('a newer connection took its place'));
    }, 20);
  }

  /** Only the end that dialled closes a connection that is not needed: the other one may be sending on it. */
  #drop(session: PeerSession, reason: Error): void {
    this.#retiring.delete(session);
    session.end(reason);
    if (session.connection.direction === 'outbound') session.connection.abort(reason);
  }
}
