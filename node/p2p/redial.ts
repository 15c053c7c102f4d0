import type { Connection, PeerId } from '@libp2p/interface';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { Logger } from 'pino';
import { withPeer } from './addresses.ts';
import { Backoff } from './backoff.ts';
import { asError } from './frame-stream.ts';
import type { Host } from './libp2p-host.ts';
import type { NetworkLimits } from './limits.ts';
import type { PeerFinder } from './peer-finder.ts';

export interface RedialDependencies {
  readonly host: Host;
  readonly peer: PeerId;
  readonly finder: PeerFinder;
  readonly logger: Logger;
  readonly random: () => number;
  readonly onConnection: (connection: Connection) => void;
}

/** Dials one member for ever, with jitter, from `start` until `stop`: at the known addresses, then at found ones. */
export class Redial {
  readonly #dependencies: RedialDependencies;
  readonly #limits: NetworkLimits;
  readonly #backoff: Backoff;
  #addresses: readonly string[] = [];
  #run: AbortController | null = null;

  constructor(dependencies: RedialDependencies, limits: NetworkLimits) {
    this.#dependencies = dependencies;
    this.#limits = limits;
    this.#backoff = new Backoff(dependencies.random, { minMs: limits.redialMinMs, maxMs: limits.redialMaxMs });
  }

  setAddresses(addresses: readonly string[]): void {
    this.#addresses = addresses;
  }

  /** The peer answered: the next trouble starts with short delays again. */
  proved(): void {
    this.#backoff.reset();
  }

  start(delayMs: number): void {
    if (this.#run !== null) return;
    this.#run = new AbortController();
    void this.#dialUntilStopped(this.#run.signal, delayMs);
  }

  stop(): void {
    this.#run?.abort();
    this.#run = null;
  }

  async #dialUntilStopped(signal: AbortSignal, delayMs: number): Promise<void> {
    await pause(delayMs, signal);
    while (!signal.aborted) {
      try {
        const connection = await this.#dial(signal);
        if (signal.aborted) return;
        this.#run = null;
        this.#dependencies.onConnection(connection);
        return;
      } catch (error) {
        if (signal.aborted) return;
        await this.#afterFailure(asError(error), signal);
      }
    }
  }

  async #dial(signal: AbortSignal): Promise<Connection> {
    const addresses = await this.#candidates();
    if (addresses.length === 0) throw new Error('no address of the peer is known');
    const timeout = AbortSignal.timeout(this.#limits.dialTimeoutMs);
    return await this.#dependencies.host.dial(addresses, { signal: AbortSignal.any([signal, timeout]) });
  }

  async #afterFailure(error: Error, signal: AbortSignal): Promise<void> {
    const { peer, logger, finder } = this.#dependencies;
    const delayMs = this.#backoff.nextDelayMs();
    const failures = this.#backoff.failures;
    const fields = { peer: peer.toString(), failures, reason: error.message };
    if (failures === this.#limits.dialsBeforeLookup) logger.warn(fields, 'a member cannot be reached');
    else logger.debug(fields, 'a dial to a member failed');
    if (failures >= this.#limits.dialsBeforeLookup) await finder.find(peer, signal);
    await pause(delayMs, signal);
  }

  /**
   * What the membership says first, then what the peer itself or others told since. libp2p tries them in turn: each
   * attempt begins at another, so that some that swallow every packet do not keep it from the rest.
   */
  async #candidates(): Promise<Multiaddr[]> {
    const { host, peer } = this.#dependencies;
    const stored = await host.peerStore.get(peer).catch(() => null);
    const texts = [...this.#addresses, ...(stored?.addresses ?? []).map((address) => address.multiaddr.toString())];
    const found = new Map<string, Multiaddr>();
    for (const text of texts) {
      const address = readAddress(text, peer);
      if (address !== null) found.set(address.toString(), address);
    }
    const all = [...found.values()];
    const first = all.length === 0 ? 0 : this.#backoff.failures % all.length;
    return [...all.slice(first), ...all.slice(0, first)].slice(0, this.#limits.maxAddressesPerDial);
  }
}

function readAddress(text: string, peer: PeerId): Multiaddr | null {
  try {
    return withPeer(multiaddr(text), peer.toString());
  } catch {
    return null;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
