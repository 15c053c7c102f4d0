import type { FaultCode, RejectionCode } from '../../src/errors.ts';

/** What to type or look at after a refusal; null where its own words say it all. */
type Steps<Code extends string> = Readonly<Record<Code, string | null>>;

const AGAIN = 'ask again in a moment';
const WHO_IS_UP = 'look who is up, which must be a majority: quorate cluster status --stale';
const MEMBERS = 'look at the members: quorate cluster status';

/** After an answer of a node. */
const AFTER_ANSWER: Steps<RejectionCode | FaultCode> = {
  invalidRequest: null,
  unknownField: 'see docs/api.md, or /openapi.json at a node, for what there is',
  notSupported: null,
  tooLarge: null,
  unauthenticated: 'give a token: --token or QUORATE_TOKEN; `up --bootstrap` printed the first one',
  forbidden: 'use a token with that scope: quorate token create --scope SCOPE',
  notFound: null,
  gone: 'submit it under another --idempotency-key to run it once more',
  unknownSchedule: 'list what there is: quorate schedule list',
  schedulePaused: 'resume it first: quorate schedule resume NAME',
  scheduleBusy: 'wait for its job, or let jobs overlap: quorate schedule set NAME --overlap allowAll',
  invalidCron: 'write minute, hour, day of month, month and day of week, as "0 3 * * 1-5"',
  cronNeverFires: null,
  unknownTimeZone: 'name a place, as --time-zone Europe/Stockholm',
  conflict: null,
  idempotencyConflict: 'use another key for another job, or submit the very same again',
  alreadyFinal: 'run it again: quorate retry ID, or submit it anew',
  wrongState: 'look at its state: quorate status ID',
  staleAttempt: null,
  unknownRunner: 'list the runners: quorate runners',
  staleRunner: null,
  queueFull: 'wait until jobs have ended: quorate jobs --state queued',
  tooManyRequests: AGAIN,
  hashMismatch: null,
  invalidTree: null,
  joinRefused: 'make a join token at a member: quorate token create --join',
  tokenExpired: 'make another token: quorate token create',
  tokenUsedUp: 'make another join token at a member: quorate token create --join --uses N',
  wrongCluster: null,
  wrongVersion: 'use the same version of quorate everywhere: quorate version',
  unknownDependency: 'name jobs that there are: quorate jobs; purged ones are gone',
  unknownRef: 'name a line above it',
  dependencyRefused: null,
  infeasible: 'see what the runners have: quorate runners; without --refuse-infeasible it waits for one that can',
  unknownParent: 'name a job that has not ended: quorate jobs --state running',
  unknownGroup: 'list the groups: quorate group list; finished ones are forgotten after a week',
  groupClosed: 'make another: quorate group create',
  wrongProject: 'name the project of the group: --project NAME',
  childLimit: null,
  changeInProgress: AGAIN,
  invalidChange: MEMBERS,
  enoughVoters: 'quorate cluster set --voters N, or quorate cluster demote ID',
  notVoter: 'let it vote first: quorate cluster add ID',
  memberBehind: 'watch its lag and ask again: quorate cluster status',
  memberUnreachable: MEMBERS,
  memberRemoved: 'let the machine join as a new node: quorate cluster add',
  quorumAtRisk: 'look who is dead: quorate cluster status; --force does it nevertheless',
  noLeader: WHO_IS_UP,
  notLeader: AGAIN,
  overloaded: AGAIN,
  timedOut: 'look what became of it before asking again: quorate jobs; who is up: quorate cluster status --stale',
  peerUnreachable: MEMBERS,
  logUnavailable: 'look where it ran: quorate status ID, quorate runners',
  runnerUnavailable: 'look at the runners: quorate runners',
  diskFull: 'make room on that machine',
  diskFailed: "look into that node's log",
  corrupt: "look into that node's log; docs/running-a-cluster.md tells how to bring it back",
  stopping: 'ask another node: --url URL',
};

/** Of what only something between us and a node knows. */
const AFTER_NO_ANSWER: Steps<'badAnswer' | 'outcomeUnknown' | 'internal'> = {
  badAnswer: 'check that --url is the address of a Quorate node of this version',
  outcomeUnknown: 'look for the job before submitting it again: quorate jobs',
  internal: "look into that node's log",
};

/** Of a node that could not start, or of what was found out on this machine. */
const ON_THIS_MACHINE: Partial<Steps<RejectionCode | FaultCode>> = {
  wrongCluster: 'use another folder with --data, or a token of the cluster that this folder is of',
  wrongVersion: 'use the newer version of quorate that wrote the folder',
  joinRefused: AFTER_ANSWER.joinRefused,
  tokenExpired: 'make another join token at a member: quorate token create --join',
  tokenUsedUp: AFTER_ANSWER.tokenUsedUp,
  peerUnreachable: 'check that a member is up and that its address in the token can be reached from here',
  memberRemoved:
    'join as a new node: an empty folder with --data, and the command that `quorate cluster add` prints at a member',
  diskFull: 'make room on the disk of the data folder',
};

const STEPS: Readonly<Record<string, string | null>> = { ...AFTER_ANSWER, ...AFTER_NO_ANSWER };

/** What lists the things that a command names. */
const LISTS: Readonly<Record<string, string>> = {
  drain: 'quorate runners',
  undrain: 'quorate runners',
  cluster: 'quorate cluster status',
  group: 'quorate group list',
  schedule: 'quorate schedule list',
  token: 'quorate token list',
};
const NAMES_JOBS: readonly string[] = [
  'status',
  'explain',
  'wait',
  'logs',
  'cancel',
  'retry',
  'run',
  'submit',
  'batch',
];

/**
 * @param code also one that this version does not know
 * @param command the word behind `quorate`
 */
export function nextAfterAnswer(code: string, command: string | null): string | null {
  if (code !== 'notFound' || command === null) return STEPS[code] ?? null;
  const list = NAMES_JOBS.includes(command) ? 'quorate jobs' : LISTS[command];
  return list === undefined ? null : `list what there is: ${list}`;
}

export function nextOnThisMachine(code: RejectionCode | FaultCode): string | null {
  return ON_THIS_MACHINE[code] ?? null;
}
