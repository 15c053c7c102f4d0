import type { PrivateKey } from '@libp2p/interface';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Address } from '../config/config.ts';
import type { NetworkLimits } from './limits.ts';
import type { PeerNetwork } from './network.ts';

export interface PeerNetworkDependencies {
  readonly logger: Logger;
  readonly privateKey: PrivateKey;
  /** 32 bytes that every node of the cluster holds; whoever has another one cannot say a word. */
  readonly clusterKey: Uint8Array;
  readonly clusterId: string;
  readonly registry?: Registry;
}

export interface PeerNetworkOptions {
  readonly listen: Address;
  /** Multiaddrs or HOST:PORT; empty: the bound addresses. */
  readonly advertise: readonly string[];
  readonly limits?: Partial<NetworkLimits>;
}

/** @throws Rejection `invalidRequest` when an address cannot be read, Fault when the address cannot be bound */
export async function createPeerNetwork(
  _dependencies: PeerNetworkDependencies,
  _options: PeerNetworkOptions,
): Promise<PeerNetwork> {
  throw new Error('under construction');
}
