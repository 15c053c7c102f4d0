import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Rejection } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { formatAddress, isLoopback, sameAddress } from './address.ts';
import { type Address, DEFAULT_TIMING, type NodeConfig, type RunnerConfig, type TimingConfig } from './config.ts';
import { readLastStart, resolveAddress, type ServiceName } from './last-start.ts';
import type { RawSettings, Settings } from './settings.ts';
import { checkEnvironment, checkFile, checkFlags } from './sources.ts';

export const DEFAULT_ADDRESSES: Readonly<Record<ServiceName, Address>> = {
  http: { host: '127.0.0.1', port: 8750 },
  p2p: { host: '127.0.0.1', port: 8751 },
  grpc: { host: '127.0.0.1', port: 8752 },
};

const DEFAULT_COPIES = 2;
const BULK_PORT = 8753;

export interface ConfigRequest {
  readonly mode: NodeConfig['mode'];
  readonly flags: RawSettings;
  /** Of `--config`; QUORATE_CONFIG when left out. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the data is when nothing says so. */
  readonly defaultDataDir: string;
  readonly defaultLogLevel: NodeConfig['logLevel'];
}

/**
 * What a node is started with: flags before the environment before the file before the addresses of the last start
 * before the defaults. A setting of one source replaces the whole of the same one behind it, lists too.
 * @throws Rejection `invalidRequest`, `forbidden` with the flag, variable or setting at fault
 */
export async function loadNodeConfig(request: ConfigRequest): Promise<NodeConfig> {
  const { mode, env } = request;
  const path = request.file ?? env['QUORATE_CONFIG'] ?? '';
  const settings: Settings = {
    ...(path === '' ? {} : await checkFile(path)),
    ...(await checkEnvironment(env)),
    ...(await checkFlags(request.flags)),
  };
  const dataDir = resolve(settings.data ?? request.defaultDataDir);
  const addresses = await addressesOf(settings, dataDir);
  const config: NodeConfig = {
    dataDir,
    mode,
    bootstrap: settings.bootstrap ?? false,
    join: settings.join ?? [],
    ...addresses,
    bulk: settings.bulk ?? bulkBeside(addresses.p2p),
    advertise: settings.advertise ?? [],
    allowedHosts: settings.allowHosts ?? [],
    runner: runnerOf(settings),
    blobs: { spaceBytes: settings.blobSpace ?? LIMITS.blobSpaceBytes, copies: settings.blobCopies ?? DEFAULT_COPIES },
    onStop: (settings.killJobs ?? mode === 'dev') ? 'killJobs' : 'keepJobs',
    logLevel: settings.logLevel ?? request.defaultLogLevel,
    timing: timingOf(settings),
  };
  checkTogether(config);
  return config;
}

/** As the XDG base directories have it for state: it stays where it is from whatever folder a node is started. */
export function defaultDataDir(env: Readonly<Record<string, string | undefined>>): string {
  const state = env['XDG_STATE_HOME'] ?? '';
  return join(state.startsWith('/') ? state : join(homedir(), '.local', 'state'), 'quorate');
}

async function addressesOf(settings: Settings, dataDir: string): Promise<Pick<NodeConfig, ServiceName>> {
  const last = await readLastStart(dataDir);
  return {
    http: await resolveAddress(settings.http, last.http, DEFAULT_ADDRESSES.http),
    p2p: await resolveAddress(settings.p2p, last.p2p, DEFAULT_ADDRESSES.p2p),
    grpc: await resolveAddress(settings.grpc, last.grpc, DEFAULT_ADDRESSES.grpc),
  };
}

/** Where peers reach this node anyhow; members are told the port, so it need not be the same at each start. */
function bulkBeside(p2p: Address): Address {
  return { host: p2p.host, port: p2p.port === DEFAULT_ADDRESSES.p2p.port ? BULK_PORT : 0 };
}

function runnerOf(settings: Settings): RunnerConfig | null {
  if (settings.runner === false) return null;
  return { cpu: settings.cpu ?? null, memoryBytes: settings.memory ?? null, labels: settings.labels ?? {} };
}

function timingOf(settings: Settings): TimingConfig {
  const leaseMs = settings.runnerLease ?? DEFAULT_TIMING.leaseMs;
  const grace = DEFAULT_TIMING.lostAfterMs / DEFAULT_TIMING.leaseMs;
  return {
    tickMs: settings.tick ?? DEFAULT_TIMING.tickMs,
    electionMs: settings.election ?? DEFAULT_TIMING.electionMs,
    heartbeatMs: settings.heartbeat ?? DEFAULT_TIMING.heartbeatMs,
    leaseMs,
    lostAfterMs: settings.runnerLostAfter ?? Math.ceil(leaseMs * grace),
  };
}

/** An election must outlast a heartbeat or two that are lost. */
const HEARTBEATS_PER_ELECTION = 3;

function checkTogether(config: NodeConfig): void {
  const { mode, http, p2p, grpc, timing } = config;
  if (config.bootstrap && config.join.length > 0) {
    refuse('--bootstrap', '--bootstrap makes a new cluster and --join joins one: say one of them');
  }
  if (mode === 'dev' && config.join.length > 0)
    refuse('--join', 'dev is a cluster of one: join with quorate up --join');
  if (mode === 'dev' && !isLoopback(http.host)) {
    throw new Rejection(
      'forbidden',
      `dev asks for no token, so it listens on this machine only, not on ${formatAddress(http)}`,
      { field: '--http' },
    );
  }
  if (http.port !== 0 && sameAddress(http, p2p)) refuse('--p2p', '--http and --p2p must be two addresses');
  if (grpc.port !== 0 && (sameAddress(grpc, http) || sameAddress(grpc, p2p))) {
    refuse('--grpc', '--grpc must be another address than --http and --p2p');
  }
  if (timing.tickMs > timing.heartbeatMs) refuse('--tick', '--tick must not be longer than --heartbeat');
  if (timing.heartbeatMs * HEARTBEATS_PER_ELECTION > timing.electionMs) {
    refuse('--election', `--election must be at least ${HEARTBEATS_PER_ELECTION} times --heartbeat`);
  }
  if (timing.lostAfterMs <= timing.leaseMs) {
    refuse('--runner-lost-after', '--runner-lost-after must be longer than --runner-lease');
  }
}

function refuse(field: string, message: string): never {
  throw new Rejection('invalidRequest', message, { field });
}
