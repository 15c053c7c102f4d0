import type { PrivateKey } from '@libp2p/interface';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { NodeId } from '../../src/ids.ts';
import { LIMITS } from '../../src/limits.ts';
import type { NodeConfig } from '../config/config.ts';
import type { Membership } from '../membership.ts';
import { encodeNodeKey } from '../p2p/identity.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { ReplicaEvents } from '../replica/replica-events.ts';
import type { DataFolder } from '../storage/data-folder.ts';
import { BlobClient } from './blob-client.ts';
import { registerBlobMetrics } from './blob-metrics.ts';
import { MemberFeed } from './member-feed.ts';

export interface OpenBlobsDependencies {
  readonly config: NodeConfig;
  readonly parts: Pick<DataFolder['parts'], 'blobs' | 'inputs'>;
  readonly network: PeerNetwork;
  readonly membership: Membership;
  /** Whether a user asked that this member leaves for good. */
  readonly isLeaving: (id: NodeId) => boolean;
  readonly events: ReplicaEvents;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly privateKey: PrivateKey;
  readonly clusterKey: Uint8Array;
  readonly clusterId: string;
}

/** The blobs of a node, with what tells them of the other members. @throws as `BlobClient.start` */
export async function openBlobs(
  dependencies: OpenBlobsDependencies,
  shutdown: AsyncDisposableStack,
): Promise<BlobClient> {
  const { config, parts, network, membership, isLeaving, events, logger, registry } = dependencies;
  const { self } = network;
  const blobs = shutdown.adopt(
    await BlobClient.start(
      { logger, onFatal: (error) => events.fatal(error) },
      {
        folder: parts.blobs,
        capacityBytes: config.blobs.spaceBytes,
        copies: config.blobs.copies,
        trees: { filesFolder: parts.inputs, filesBytes: LIMITS.inputFilesBytes },
        network: {
          self,
          privateKey: encodeNodeKey(dependencies.privateKey),
          clusterKey: dependencies.clusterKey,
          clusterId: dependencies.clusterId,
          listen: config.bulk,
          advertise: config.advertise,
        },
      },
    ),
    (opened) => opened.close(),
  );
  registerBlobMetrics(registry, blobs);
  const feed = new MemberFeed({ self, network, members: () => membership.members(), isLeaving, blobs, logger });
  events.onChanged((changes) => {
    if (changes.some((change) => change.kind === 'node')) feed.refresh();
  });
  events.onConfiguration(() => feed.refresh());
  events.onRestored(() => feed.refresh());
  feed.start();
  shutdown.defer(() => feed.stop());
  return blobs;
}
