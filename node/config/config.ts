/** What a node is started with, after flags, environment, file and the data folder of the last start are merged. */
export interface NodeConfig {
  readonly dataDir: string;
  /** `dev`: a cluster of one that needs no token on loopback. */
  readonly mode: 'dev' | 'up';
  readonly bootstrap: boolean;
  readonly join: readonly string[];
  readonly http: Address;
  readonly p2p: Address;
  readonly grpc: Address;
  /** Where members get and give the bytes of blobs. */
  readonly bulk: Address;
  /** Multiaddrs or HOST:PORT under which peers reach this node when that is not what it binds. */
  readonly advertise: readonly string[];
  /** Host names, beside the bound one and localhost, that a request's Host header may carry. */
  readonly allowedHosts: readonly string[];
  readonly runner: RunnerConfig | null;
  readonly blobs: BlobConfig;
  readonly onStop: 'keepJobs' | 'killJobs';
  readonly logLevel: LogLevel;
  readonly timing: TimingConfig;
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Address {
  readonly host: string;
  /** 0 picks one. */
  readonly port: number;
}

export interface RunnerConfig {
  /** Null: what the machine has. */
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  readonly labels: Readonly<Record<string, string>>;
}

export interface BlobConfig {
  /** What the blobs of this node may take. */
  readonly spaceBytes: number;
  /** Nodes that are to have each blob. */
  readonly copies: number;
}

export interface TimingConfig {
  readonly tickMs: number;
  readonly electionMs: number;
  readonly heartbeatMs: number;
  /** A runner that cannot renew for this long stops its jobs. */
  readonly leaseMs: number;
  /** The leader declares a runner lost after this long without a renewal; more than `leaseMs`. */
  readonly lostAfterMs: number;
}

export const DEFAULT_TIMING: TimingConfig = {
  tickMs: 10,
  electionMs: 300,
  heartbeatMs: 50,
  leaseMs: 10_000,
  lostAfterMs: 15_000,
};

/** Rewritten at each start as `node.json` in the data folder. */
export interface NodeFile {
  readonly nodeId: string;
  readonly http: string;
  readonly p2p: string;
  readonly grpc: string | null;
  readonly pids: { readonly node: number; readonly runner: number | null };
}
