import type { Connection, ConnectionGater, Stream, StreamHandler, Topology } from '@libp2p/interface';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { NodeId } from '../../src/ids.ts';
import type { NetworkLimits } from './limits.ts';

/** What the gate needs of libp2p's registrar, which the services register their protocols with. */
export interface ProtocolRegistrar {
  handle(protocol: string, handler: StreamHandler, options?: object): Promise<void>;
  register(protocol: string, topology: Topology, options?: object): Promise<string>;
}

/**
 * Lets members only through. Strangers hold the cluster's key and are no members (yet): they may identify themselves
 * and ask to join, anything else is refused and counted, and their connections end after a while.
 */
export class Gate {
  readonly #logger: Logger;
  readonly #limits: NetworkLimits;
  readonly #refusals: Counter<'what'> | null;
  readonly #strangers = new Map<Connection, NodeJS.Timeout>();
  readonly #topologies = new Set<Topology>();
  #members: ReadonlySet<string> = new Set();
  #refused = 0;
  #joining = 0;

  constructor(
    dependencies: { readonly logger: Logger; readonly registry: Registry | undefined },
    limits: NetworkLimits,
  ) {
    this.#logger = dependencies.logger;
    this.#limits = limits;
    this.#refusals =
      dependencies.registry === undefined
        ? null
        : new Counter({
            name: 'quorate_p2p_refused_total',
            help: 'Streams and connections of nodes that are no members, refused.',
            labelNames: ['what'],
            registers: [dependencies.registry],
          });
  }

  get refused(): number {
    return this.#refused;
  }

  isMember(peer: string): peer is NodeId {
    return this.#members.has(peer);
  }

  setMembers(members: ReadonlySet<string>): void {
    this.#members = members;
    for (const [connection, timer] of this.#strangers) {
      if (!members.has(connection.remotePeer.toString())) continue;
      clearTimeout(timer);
      this.#strangers.delete(connection);
    }
  }

  connectionGater(): ConnectionGater {
    return {
      denyDialPeer: (peer) => this.#joining === 0 && !this.isMember(peer.toString()),
      denyInboundEncryptedConnection: (peer) => this.#isOneTooMany(peer.toString()),
    };
  }

  /** While `task` runs, nodes that are no members may be dialled. */
  async whileJoining<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#joining += 1;
    try {
      return await task();
    } finally {
      this.#joining -= 1;
    }
  }

  /** A stranger's connection ends after a while unless it has become a member's. */
  admit(connection: Connection): void {
    if (this.isMember(connection.remotePeer.toString()) || this.#strangers.has(connection)) return;
    const timer = setTimeout(() => {
      this.#strangers.delete(connection);
      connection.abort(new Error('not a member'));
    }, this.#limits.strangerGraceMs);
    this.#strangers.set(connection, timer);
    connection.addEventListener('close', () => {
      clearTimeout(timer);
      this.#strangers.delete(connection);
    });
  }

  guard(protocol: string, handler: StreamHandler): StreamHandler {
    return (stream: Stream, connection: Connection) => {
      const from = connection.remotePeer.toString();
      if (this.isMember(from)) return handler(stream, connection);
      this.#count('stream');
      this.#logger.debug({ from, protocol }, 'refused a stream of a node that is no member');
      stream.abort(new Error('not a member'));
    };
  }

  /**
   * For services that bring protocols of their own. Their streams are guarded, and they hear of a peer not when it
   * connects but when `introduce` says that both sides take each other for members.
   */
  guardRegistrar<Registrar extends ProtocolRegistrar>(registrar: Registrar): Registrar {
    const handle: ProtocolRegistrar['handle'] = (protocol, handler, options) =>
      registrar.handle(protocol, this.guard(protocol, handler), options);
    const register: ProtocolRegistrar['register'] = (protocol, topology, options) => {
      this.#topologies.add(topology);
      return registrar.register(protocol, { onDisconnect: (peer) => topology.onDisconnect?.(peer) }, options);
    };
    return new Proxy(registrar, {
      get(target, name) {
        if (name === 'handle') return handle;
        if (name === 'register') return register;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  introduce(connection: Connection): void {
    for (const topology of this.#topologies) void topology.onConnect?.(connection.remotePeer, connection);
  }

  withdraw(connection: Connection): void {
    for (const topology of this.#topologies) void topology.onDisconnect?.(connection.remotePeer);
  }

  close(): void {
    for (const timer of this.#strangers.values()) clearTimeout(timer);
    this.#strangers.clear();
  }

  #isOneTooMany(peer: string): boolean {
    if (this.isMember(peer) || this.#strangers.size < this.#limits.maxStrangers) return false;
    this.#count('connection');
    return true;
  }

  #count(what: 'stream' | 'connection'): void {
    this.#refused += 1;
    this.#refusals?.inc({ what });
  }
}
