import type { Channel } from './network.ts';

/** The names under which the nodes of one cluster speak; those of another cluster know none of them. */
export interface ClusterProtocols {
  readonly raft: string;
  readonly channels: Readonly<Record<Channel, string>>;
  readonly bytes: string;
  /** At the hosts that carry nothing but blobs. */
  readonly bulk: string;
  readonly join: string;
  readonly kad: string;
  readonly capacityTopic: string;
}

export function clusterProtocols(clusterId: string): ClusterProtocols {
  const name = (part: string): string => `/quorate/${clusterId}/${part}/1`;
  return {
    raft: name('raft'),
    channels: { control: name('control'), dispatch: name('dispatch') },
    bytes: name('bytes'),
    bulk: name('bulk'),
    join: name('join'),
    kad: name('kad'),
    capacityTopic: name('capacity'),
  };
}
