import { BlobsClient } from './blobs-client.ts';
import { Calls } from './calls.ts';
import { ClusterClient } from './cluster-client.ts';
import { EventsClient } from './events-client.ts';
import { GroupsClient } from './groups-client.ts';
import { JobsClient } from './jobs-client.ts';
import { QueuesClient } from './queues-client.ts';
import { RunnersClient } from './runners-client.ts';
import { SchedulesClient } from './schedules-client.ts';
import { TokensClient } from './tokens-client.ts';
import { Transport, type TransportOptions } from './transport.ts';

export interface ClientOptions extends TransportOptions {
  /** How long a wait or a followed log outlasts the absence of every node. */
  readonly reconnectMs?: number;
  /** A followed log on which not even a sign of life came for this long is connected anew. */
  readonly silentMs?: number;
}

const DEFAULT_RECONNECT_MS = 60_000;
/** Three times the pause between a node's signs of life. */
const DEFAULT_SILENT_MS = 45_000;

/**
 * Speaks the job API with a cluster through any of its nodes, in Node and in browsers, with a part for each subject.
 * Calls that may be repeated are sent to the next address when a node is away. All methods throw the errors of
 * client-error.ts.
 */
export class QuorateClient {
  readonly jobs: JobsClient;
  readonly groups: GroupsClient;
  readonly queues: QueuesClient;
  readonly events: EventsClient;
  readonly schedules: SchedulesClient;
  readonly runners: RunnersClient;
  readonly cluster: ClusterClient;
  readonly tokens: TokensClient;
  readonly blobs: BlobsClient;

  /** @throws TypeError when there is no address or one is not a URL */
  constructor(options: ClientOptions) {
    const { reconnectMs = DEFAULT_RECONNECT_MS, silentMs = DEFAULT_SILENT_MS } = options;
    const calls = new Calls(new Transport(options), { reconnectMs });
    this.jobs = new JobsClient(calls, { silentMs });
    this.groups = new GroupsClient(calls);
    this.queues = new QueuesClient(calls);
    this.events = new EventsClient(calls, { silentMs });
    this.schedules = new SchedulesClient(calls);
    this.runners = new RunnersClient(calls);
    this.cluster = new ClusterClient(calls);
    this.tokens = new TokensClient(calls);
    this.blobs = new BlobsClient(calls);
  }
}
