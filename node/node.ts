import { randomBytes } from 'node:crypto';
import type { PrivateKey } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Readiness } from '../src/api/views.ts';
import type { JobId, NodeId } from '../src/ids.ts';
import type { LoadOf } from '../src/scheduling/measured-load.ts';
import { answerDispatch } from './answer-dispatch.ts';
import type { BlobClient } from './blobs/blob-client.ts';
import { openBlobs } from './blobs/open-blobs.ts';
import type { NodeConfig } from './config/config.ts';
import type { Core } from './core.ts';
import { machineLabels, machineResources } from './execution/machine.ts';
import { JobFiles } from './execution/job-files.ts';
import { RunnerHost } from './execution/runner-host.ts';
import {
  createCluster,
  type CreatedTokens,
  findCluster,
  formatJoinToken,
  type Founding,
  initialConfiguration,
  introduce,
} from './founding.ts';
import { handOver } from './hand-over.ts';
import { createHttpServer } from './http/server.ts';
import { answerStranger } from './joining.ts';
import { CronLines } from './cron/cron-line.ts';
import { LeaderDuties } from './leader/duties.ts';
import { MemberSearch } from './member-search.ts';
import { type KnownMembers, Membership } from './membership.ts';
import { createRegistry } from './observability/registry.ts';
import { answerOpen } from './open-streams.ts';
import { createPeerNetwork } from './p2p/host.ts';
import { loadNodeKey } from './p2p/identity.ts';
import type { PeerNetwork } from './p2p/network.ts';
import { REPLICA_LIMITS, REPLICA_TIMES } from './replica/limits.ts';
import { RemovalWatch } from './removal-watch.ts';
import { expectNotRemoved, leaveCluster } from './removal.ts';
import { registerReplicaMetrics } from './replica/metrics.ts';
import { raftOptions } from './replica/options.ts';
import { ReplicaEvents } from './replica/replica-events.ts';
import { Replica } from './replica/replica.ts';
import { createLogReader } from './runner/log-reader.ts';
import type { LogReader } from './runner/ports.ts';
import { createRunnerSupervisor } from './runner/supervisor.ts';
import { BackupService } from './service/backup-service.ts';
import { CapacityView } from './service/capacity.ts';
import { ClusterService } from './service/cluster-service.ts';
import { EventFeed } from './service/event-feed.ts';
import { GroupService } from './service/group-service.ts';
import { QueueService } from './service/queue-service.ts';
import { registerScheduleMetrics } from './service/schedule-metrics.ts';
import { ScheduleService } from './service/schedule-service.ts';
import { pictureOf } from './service/cluster-view.ts';
import { JobTokens } from './service/job-tokens.ts';
import { OwnThings } from './service/own-things.ts';
import { HeapRoom } from './service/heap-room.ts';
import { JobService } from './service/job-service.ts';
import { JobStore } from './service/job-store.ts';
import { JobWatch } from './service/job-watch.ts';
import { LogService } from './service/log-service.ts';
import { MemberInquiry } from './service/member-inquiry.ts';
import { MEMBER_SERVICE_TIMES, MemberService } from './service/member-service.ts';
import { JobMetrics } from './service/metrics.ts';
import { createCore } from './service/node-core.ts';
import { QuorumWatch } from './service/quorum-watch.ts';
import { TokenService } from './service/token-service.ts';
import { type DataFolder, openDataFolder } from './storage/data-folder.ts';
import { openLogStore } from './storage/log-store.ts';
import { createSnapshotInbox } from './storage/snapshot-inbox.ts';
import { openStateStore } from './storage/state-store.ts';
import { SYSTEM_RUNTIME } from './system-runtime.ts';
import { VERSION } from './version.ts';

export interface RunningNode {
  readonly nodeId: string;
  /** The URL of the HTTP API. */
  readonly http: string;
  readonly p2p: string;
  readonly clusterId: string;
  /** Told once, by the start that made the cluster. */
  readonly created: CreatedTokens | null;
  /** Settles when the node has stopped; rejects when it had to stop by itself. */
  readonly stopped: Promise<void>;
  stop(mode: 'keepJobs' | 'killJobs'): Promise<void>;
}

/** What every part of a running node stands on. */
interface Base {
  readonly config: NodeConfig;
  readonly logger: Logger;
  readonly folder: DataFolder;
  readonly founding: Founding;
  readonly registry: Registry;
  readonly privateKey: PrivateKey;
  readonly network: PeerNetwork;
  readonly introduced: KnownMembers;
  readonly events: ReplicaEvents;
}

interface Services {
  readonly jobs: JobStore;
  readonly jobTokens: JobTokens;
  readonly core: Core;
  readonly blobs: BlobClient;
  readonly reader: LogReader;
  readonly membership: Membership;
  readonly duties: LeaderDuties;
  /** Settles when this node finds that it was removed from the cluster. */
  readonly removed: Promise<void>;
}

/**
 * The one composition root: opens what the data folder holds, connects the parts, and takes them down in the reverse
 * order. @throws Rejection or Fault when the node cannot start; nothing is left running then
 */
export async function startNode(config: NodeConfig, logger: Logger): Promise<RunningNode> {
  const shutdown = new AsyncDisposableStack();
  try {
    return await compose(config, logger, shutdown);
  } catch (error) {
    await shutdown.disposeAsync();
    throw error;
  }
}

async function compose(config: NodeConfig, logger: Logger, shutdown: AsyncDisposableStack): Promise<RunningNode> {
  const ended = Promise.withResolvers<void>();
  const base = await openBase(config, logger, shutdown, (error) => ended.reject(error));
  const replica = await openReplica(base, shutdown);
  const readiness = { runner: null as RunnerHost | null };
  const services = await createServices(base, replica, shutdown, () => tellReadiness(base, replica, readiness.runner));
  answerPeers(base, replica, services);
  const http = await serveHttp(base, replica, services, shutdown);
  replica.start();
  services.membership.refresh();
  const created = await foundIfNew(base, replica);
  readiness.runner = await startRunner(base, replica, services, http, shutdown);
  void services.membership.announce({ http, version: VERSION });
  const p2p = `${config.p2p.host}:${portOf(base.network)}`;
  await base.folder.writeNodeFile({
    nodeId: base.network.self,
    http: new URL(http).host,
    p2p,
    grpc: null,
    pids: { node: process.pid, runner: readiness.runner?.pid ?? null },
  });
  logger.info({ nodeId: base.network.self, http, p2p }, 'the node is up');
  const stop = async (mode: 'keepJobs' | 'killJobs'): Promise<void> => {
    await readiness.runner?.stop(mode === 'keepJobs' ? 'keep' : 'killJobs');
    await shutdown.disposeAsync();
  };
  void services.removed.then(() => leaveCluster(base, () => stop('killJobs'))).catch(ended.reject);
  return {
    nodeId: base.network.self,
    http,
    p2p,
    clusterId: base.founding.clusterId,
    created,
    stopped: ended.promise,
    stop: async (mode) => {
      await handOver(replica);
      await stop(mode);
      ended.resolve();
    },
  };
}

async function openBase(
  config: NodeConfig,
  logger: Logger,
  shutdown: AsyncDisposableStack,
  onFatal: (error: unknown) => void,
): Promise<Base> {
  const folder = shutdown.adopt(await openDataFolder(config.dataDir), (opened) => opened.close());
  const founding = await findCluster(folder, config);
  // Behind it: a rejoin that was cut short sets the note aside.
  await expectNotRemoved(folder);
  const metrics = createRegistry();
  shutdown.defer(() => metrics.stop());
  const { registry } = metrics;
  const { clusterKey, clusterId } = founding;
  const privateKey = await loadNodeKey(folder);
  const network = shutdown.adopt(
    await createPeerNetwork(
      { logger, registry, privateKey, clusterKey, clusterId },
      { listen: config.p2p, advertise: config.advertise },
    ),
    (opened) => opened.close(),
  );
  const introduced = await introduce(folder, founding, network);
  const events = new ReplicaEvents(onFatal);
  return { config, logger, folder, founding, registry, privateKey, network, introduced, events };
}

async function openReplica(base: Base, shutdown: AsyncDisposableStack): Promise<Replica> {
  const { folder, network, config, logger, registry, events, introduced } = base;
  const self = network.self;
  const log = await openLogStore(folder.parts.log, { expected: folder.format.nodeId === null ? 'any' : 'existing' });
  await folder.bindNode(self);
  const store = await openStateStore(folder.parts.state, log.loaded.snapshot?.index ?? 0);
  const inbox = createSnapshotInbox(folder.parts.state);
  const session = randomBytes(9).toString('base64url');
  const replica = await Replica.open(
    { self, session, log, store, inbox, network, logger, runtime: SYSTEM_RUNTIME },
    {
      timing: config.timing,
      raft: raftOptions(config.timing),
      initial: initialConfiguration(self, introduced),
      limits: REPLICA_LIMITS,
      times: REPLICA_TIMES,
    },
    events,
  );
  registerReplicaMetrics(registry, replica, log);
  return shutdown.adopt(replica, (opened) => opened.close());
}

async function createServices(
  base: Base,
  replica: Replica,
  shutdown: AsyncDisposableStack,
  readiness: () => Readiness,
): Promise<Services> {
  const { network, config, logger, folder, registry, events, founding } = base;
  const self = network.self;
  const watch = new JobWatch();
  const feed = new EventFeed(replica.applier.applied);
  const jobs = new JobStore(replica);
  const reader = createLogReader(config.dataDir);
  const isMember = (id: NodeId): boolean => replica.state.nodes.has(id);
  const capacity = new CapacityView({ network, self, isMember }, { dataDir: config.dataDir });
  const membership = new Membership({ self, replica, network, logger }, base.introduced);
  const search = new MemberSearch({ replica, network, logger }, (members) => membership.believe(members));
  const loadOf: LoadOf = (runner) => capacity.loadBeyondJobs(replica.state, runner);
  const room = new HeapRoom(() => capacity.heaps());
  const duties = new LeaderDuties({ self, replica, logger, loadOf, room }, config.timing);
  const metrics = new JobMetrics(registry, () => replica.state);
  registerScheduleMetrics(registry, () => replica.state);
  const jobTokens = new JobTokens(founding);
  const tokens = new TokenService({ replica, jobTokens }, (token, expiresAt) =>
    formatJoinToken(founding, network, token, expiresAt),
  );
  const removed = Promise.withResolvers<void>();
  const inquiry = new MemberInquiry({ self, replica, network, reportHere: () => duties.memberReport() });
  const isLeaving = (id: NodeId): boolean => replica.state.nodes.get(id)?.wish === 'leave';
  const blobs = await openBlobs({ ...base, ...founding, parts: folder.parts, membership, isLeaving }, shutdown);
  const handOver = async (id: NodeId): Promise<number> =>
    id === self ? (await blobs.handOver()).left : await inquiry.handOver(id);
  const core = createCore({
    self,
    replica,
    own: new OwnThings({ replica, jobs }),
    jobs: new JobService({ replica, jobs, watch, loadOf, room }),
    groups: new GroupService({ replica, watch }),
    queues: new QueueService(replica),
    schedules: new ScheduleService({ replica, lines: new CronLines(), room, now: Date.now }),
    logs: new LogService({ self, replica, jobs, watch, network, reader }),
    events: feed,
    cluster: new ClusterService({ self, replica, network, capacity, inquiry }),
    members: new MemberService({ self, replica, inquiry, handOver, removed: removed.promise }, MEMBER_SERVICE_TIMES),
    backups: new BackupService({ self, replica, version: VERSION }),
    tokens,
    readiness,
  });
  events.onChanged((changes, index) => {
    duties.changed(changes);
    feed.changed(changes, index, replica.state.cluster?.clock ?? 0);
    watch.changed(changes);
    metrics.changed(changes);
    capacity.changed(changes);
    if (changes.some((change) => change.kind === 'node')) membership.refresh();
  });
  events.onConfiguration(() => {
    membership.refresh();
    duties.configurationChanged();
  });
  events.onRoleChanged((change) => {
    logger.info({ role: change.role, term: change.term, leader: change.leader }, 'the role of this node changed');
    void duties.roleChanged(change);
  });
  events.onRestored(() => {
    membership.refresh();
    watch.restored();
    feed.restored(replica.applier.applied);
  });
  const watches = watchMembers(base, replica, { membership, duties }, removed.resolve);
  const timed = [capacity, search, ...watches];
  for (const part of timed) part.start();
  shutdown.defer(() => {
    for (const part of [...timed, membership, duties, feed]) part.stop();
  });
  return { core, jobs, jobTokens, blobs, reader, membership, duties, removed: removed.promise };
}

/** Whether this node is a member still, and whether enough others are alive. */
function watchMembers(
  { network, logger, registry, events }: Base,
  replica: Replica,
  { membership, duties }: Pick<Services, 'membership' | 'duties'>,
  onRemoved: () => void,
) {
  const { self } = network;
  const addresses = (): string[] => [...membership.members().values()].flat();
  const removal = new RemovalWatch({ self, replica, network, addresses, logger }, onRemoved);
  events.onConfiguration((configuration) => removal.configurationChanged(configuration));
  const quorum = new QuorumWatch({
    logger,
    registry,
    look: () => pictureOf({ self, replica, connected: network.connected(), report: duties.memberReport() }),
    role: () => (replica.isLeader ? 'leads' : replica.leader === null ? 'leaderless' : 'follows'),
  });
  return [removal, quorum];
}

function answerPeers(base: Base, replica: Replica, services: Services): void {
  const { network } = base;
  const { membership, duties, reader, blobs } = services;
  network.handle('dispatch', (from, body) => answerDispatch({ replica, duties, blobs }, from, body));
  network.handleOpen((_from, body, signal) => answerOpen({ replica, reader }, body, signal));
  network.onJoin((from, body) => answerStranger({ replica, network, members: () => membership.members() }, from, body));
}

async function serveHttp(
  base: Base,
  replica: Replica,
  services: Services,
  shutdown: AsyncDisposableStack,
): Promise<string> {
  const { config, registry, logger } = base;
  const server = await createHttpServer(
    { core: services.core, blobs: services.blobs, metrics: registry, logger },
    { address: config.http, allowedHosts: config.allowedHosts, auth: authOf(base, replica), version: VERSION },
  );
  shutdown.adopt(server, (opened) => opened.close());
  const { host, port } = server.address;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The cluster says whether a token is needed; until it has said so, the way this node was started does. */
function authOf({ config }: Base, replica: Replica): 'required' | 'loopbackOpen' {
  return replica.state.cluster?.auth ?? (config.mode === 'dev' ? 'loopbackOpen' : 'required');
}

async function foundIfNew(base: Base, replica: Replica): Promise<CreatedTokens | null> {
  const { introduced } = base;
  if (introduced.size > 0 || replica.state.cluster !== null) return null;
  return createCluster({ ...base, replica }, authOf(base, replica));
}

async function startRunner(
  base: Base,
  replica: Replica,
  services: Services,
  http: string,
  shutdown: AsyncDisposableStack,
): Promise<RunnerHost | null> {
  const { config, logger, registry, network, events } = base;
  if (config.runner === null) return null;
  const findJob = (id: JobId) => services.jobs.find(id);
  const files = await JobFiles.open({ trees: services.blobs, findJob, logger }, config.dataDir);
  const host = new RunnerHost(
    {
      self: network.self,
      replica,
      supervisor: createRunnerSupervisor({ logger, registry }, { dataDir: config.dataDir }),
      network,
      files,
      logger,
      renewHere: (runner, incarnation) => services.duties.leases.renew(runner, incarnation),
    },
    {
      total: await machineResources(config.runner, config.dataDir),
      labels: machineLabels(config.runner),
      leaseMs: config.timing.leaseMs,
      jobEnv: (job) => ({ QUORATE_URL: http, QUORATE_TOKEN: services.jobTokens.format(job) }),
    },
  );
  shutdown.defer(() => host.stop('keep'));
  events.onChanged((changes) => host.changed(changes));
  events.onRestored(() => host.reconcile([]));
  await host.start();
  return host;
}

function portOf(network: PeerNetwork): number {
  const [address] = network.addresses();
  return address === undefined
    ? 0
    : Number(
        multiaddr(address)
          .getComponents()
          .find(({ name }) => name === 'tcp')?.value,
      );
}

function tellReadiness({ config, network }: Base, replica: Replica, runner: RunnerHost | null): Readiness {
  const missing: string[] = [];
  const foreign = replica.leader === null ? network.foreign() : [];
  if (foreign.length > 0) missing.push(`${foreign.join(', ')} went on as another cluster: see \`quorate rejoin\``);
  if (replica.leader === null) missing.push('no leader is known');
  if (replica.state.cluster === null) missing.push('the state of the cluster has not arrived yet');
  if (config.runner !== null && runner?.isRegistered !== true) missing.push('the runner has no live session yet');
  return { ready: missing.length === 0, missing };
}
