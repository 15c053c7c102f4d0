/** Every limit that a user can meet, by the name that the error tells. */
export const LIMITS = {
  /** Bytes of one job spec as JSON. */
  specBytes: 256 * 1024,
  /** Bytes of one line of a batch. */
  batchLineBytes: 256 * 1024,
  /** Jobs in one batch. */
  batchJobs: 1_000_000,
  /** Jobs of a batch that are proposed together. */
  batchChunkJobs: 512,
  /** Names of lines that the batches under way at one node hold together. */
  batchRefs: 2_000_000,
  batchRefLength: 128,
  /** Bytes of any other JSON body. */
  bodyBytes: 1024 * 1024,
  /** Bytes of one blob. */
  blobBytes: 16 * 1024 * 1024 * 1024,
  /** Blobs that one request asks for. */
  blobNames: 10_000,
  /** Bytes of all blobs at one node, when `--blob-space` says nothing else. */
  blobSpaceBytes: 64 * 1024 * 1024 * 1024,
  /** Nodes that have each blob, at most. */
  blobCopies: 7,
  /** Bytes that one machine keeps of files of inputs, to link them into the folders of jobs. */
  inputFilesBytes: 10 * 1024 * 1024 * 1024,
  /** Files, folders and symbolic links of one tree, and folders within each other. */
  treeEntries: 500_000,
  treeDepth: 128,
  /** Bytes of one name, of one path, and of what a symbolic link holds: what file systems take. */
  treeNameBytes: 255,
  treePathBytes: 4096,
  treeTargetBytes: 4095,
  commandArguments: 4096,
  envVariables: 1024,
  workdirBytes: 1024,
  /** What file systems take for one name. */
  workdirPartBytes: 255,
  /** Paths and patterns of what is kept of one job. */
  outputPatterns: 256,
  /** What the braces of one of them stand for. */
  patternAlternatives: 64,
  labels: 64,
  constraints: 32,
  /** Kinds of custom resources that one job asks for. */
  customResources: 32,
  nameLength: 256,
  idempotencyKeyLength: 256,
  /** How long a key is remembered. */
  idempotencyTtlMs: 24 * 60 * 60 * 1000,
  idempotencyKeys: 1_000_000,
  /** Jobs that are not final. */
  liveJobs: 2_000_000,
  /** Jobs that one job waits for. */
  dependencies: 256,
  /** Jobs above a job: its parent, the parent of that, and so on. */
  childDepth: 16,
  /** Children of one job that are not final. */
  liveChildren: 100_000,
  /** Groups that the cluster remembers, finished ones included. */
  groups: 100_000,
  /** How long a finished group is remembered. */
  groupTtlMs: 7 * 24 * 60 * 60 * 1000,
  /** How long a final job is kept when its spec does not say. */
  retentionMs: 7 * 24 * 60 * 60 * 1000,
  retentionMaxMs: 365 * 24 * 60 * 60 * 1000,
  /** Final jobs that are kept, about; beyond it those go first whose time would be over first. */
  finalJobs: 1_000_000,
  groupRunningMax: 1_000_000,
  schedules: 10_000,
  cronLength: 256,
  /** How late a firing of a schedule may be made up, at most. */
  catchUpMaxMs: 365 * 24 * 60 * 60 * 1000,
  /** Queues for which something is set. */
  queues: 10_000,
  queueWeightMax: 1000,
  priorityMax: 100,
  retryMax: 100,
  /** How often one job is stopped to make room for others; then it runs on. */
  preemptions: 3,
  /** Runners with which attempts of one job were lost and that did not come back; then it may be what ends them. */
  runnersLost: 4,
  /** Attempts of one job, those that clients asked for included. */
  attempts: 1000,
  timeoutMaxMs: 30 * 24 * 60 * 60 * 1000,
  waitMaxMs: 10 * 60 * 1000,
  listMax: 1000,
  /** Records that one list request looks at before it answers with what it has and a cursor. */
  listScanMax: 20_000,
  /** Characters of the jobs on one page, as JSON; the one that passes this is the last. */
  listCharacters: 4 * 1024 * 1024,
  tokens: 10_000,
  joinTokenUses: 1000,
  joinTokenTtlMaxMs: 30 * 24 * 60 * 60 * 1000,
  members: 1000,
  /** HTTP requests under way at one node. */
  httpInflight: 4096,
  /** HTTP connections open at one node. */
  httpConnections: 16_384,
  /** Bytes of the head of an HTTP request. */
  httpHeaderBytes: 16 * 1024,
  /** Batches that one node reads at once. */
  batchesInFlight: 64,
  /** Followers of logs at one node. */
  logFollowers: 2048,
  /** Followers of events at one node. */
  eventFollowers: 1024,
  /** Bytes of one job's stdout or stderr; what comes behind is dropped and told. */
  logBytes: 1024 * 1024 * 1024,
  /** Attempts that one machine runs, or whose end the cluster has not taken yet. */
  runnerAttempts: 20_000,
  /** Ended attempts whose output one machine keeps; the oldest go first. */
  keptAttempts: 20_000,
  keptAttemptsMs: 7 * 24 * 60 * 60 * 1000,
  keptLogBytes: 20 * 1024 * 1024 * 1024,
} as const;

export type LimitName = keyof typeof LIMITS;
