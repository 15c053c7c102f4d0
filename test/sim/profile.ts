import type { RaftOptions } from '../../raft/config.ts';
import type { TimingConfig } from '../../node/config/config.ts';
import { REPLICA_LIMITS, REPLICA_TIMES, type ReplicaLimits, type ReplicaTimes } from '../../node/replica/limits.ts';
import type { Chance } from './chance.ts';
import type { DiskTimes } from './sim-disk.ts';
import type { NetworkFaults, NetworkTimes } from './sim-network.ts';
import { FAULTS, type FaultName } from './fault-names.ts';

/** What one seed's run is made of. Each seed has some of the faults, so that none hides behind the others. */
export interface Profile {
  readonly machines: number;
  /** Voters before the faults begin. */
  readonly voters: number;
  readonly clients: number;
  /** Mean pause between a client's operations. */
  readonly thinkMs: number;
  /** Virtual time under faults. */
  readonly stormMs: number;
  /** Mean time between two faults. */
  readonly faultMs: number;
  readonly faults: readonly FaultName[];
  readonly network: NetworkTimes;
  readonly networkFaults: NetworkFaults;
  readonly disk: DiskTimes;
  readonly drift: number;
  readonly timing: TimingConfig;
  readonly raft: RaftOptions;
  readonly limits: ReplicaLimits;
  readonly times: ReplicaTimes;
}

export function profileOf(chance: Chance): Profile {
  const voters = chance.pick([3, 3, 3, 4, 5]);
  const tickMs = chance.pick([20, 30, 30, 50]);
  const electionTicks = chance.pick([8, 10, 12]);
  const few = chance.happens(0.3);
  return {
    machines: voters + chance.below(3),
    voters,
    clients: chance.whole(3, 8),
    thinkMs: chance.pick([10, 40, 150]),
    stormMs: chance.pick([10_000, 20_000, 40_000]),
    faultMs: chance.pick([200, 700, 2_000]),
    faults: few ? chance.shuffled(FAULTS).slice(0, 3) : FAULTS.filter(() => chance.happens(0.6)),
    network: {
      delayMs: chance.pick([
        [0.1, 1],
        [0.5, 5],
        [5, 40],
      ] as const),
    },
    networkFaults: networkFaultsOf(chance, tickMs * electionTicks),
    disk: {
      syncMs: chance.pick([
        [0.2, 2],
        [1, 10],
        [5, 60],
      ] as const),
      writeMs: chance.pick([
        [0.05, 0.5],
        [1, 20],
      ] as const),
    },
    drift: chance.pick([0, 0.001, 0.03]),
    timing: {
      tickMs,
      electionMs: tickMs * electionTicks,
      heartbeatMs: tickMs * 2,
      leaseMs: 10_000,
      lostAfterMs: 15_000,
    },
    raft: raftOf(chance, electionTicks),
    limits: limitsOf(chance),
    times: {
      ...REPLICA_TIMES,
      reproposeMs: chance.pick([200, 1_000]),
      reproposeMaxMs: chance.pick([1_000, 8_000]),
      proposalDeadlineMs: chance.pick([2_000, 6_000]),
      readDeadlineMs: chance.pick([1_000, 4_000]),
      forwardTimeoutMs: chance.pick([300, 2_000]),
      snapshotTimeoutMs: 15_000,
    },
  };
}

function networkFaultsOf(chance: Chance, electionMs: number): NetworkFaults {
  const rate = (high: number): number => (chance.happens(0.6) ? chance.float() * high : 0);
  return {
    drop: rate(0.1),
    duplicate: rate(0.1),
    delay: rate(0.15),
    delayMs: chance.pick([20, electionMs, 4 * electionMs]),
    requestLost: rate(0.1),
    answerLost: rate(0.2),
    streamCut: rate(0.1),
  };
}

function raftOf(chance: Chance, electionTicks: number): RaftOptions {
  return {
    electionTicks,
    heartbeatTicks: 2,
    maxUncommittedBytes: chance.pick([4_000, 30_000, 1_000_000]),
    maxAppendBytes: chance.pick([600, 4_000, 1_000_000]),
    maxInflightAppends: chance.pick([1, 3, 16]),
    maxInflightBytes: chance.pick([4_000, 1_000_000]),
    maxApplyBytes: chance.pick([600, 4_000, 1_000_000]),
    reads: chance.pick(['readIndex', 'readIndex', 'lease']),
  };
}

const USUAL_ENTRY_BYTES = 300;

function limitsOf(chance: Chance): ReplicaLimits {
  const compactEntries = chance.pick([5, 30, 200]);
  const limits = {
    ...REPLICA_LIMITS,
    entryBytes: chance.pick([400, 4_000, 64_000]),
    entryProposals: chance.pick([1, 4, 64]),
    pendingProposals: chance.pick([8, 1_000]),
    pendingReads: chance.pick([4, 1_000]),
    unwrittenEntries: chance.pick([1, 8, 1_000]),
    compactEntries,
    keptEntries: chance.pick([0, Math.floor(compactEntries / 2)]),
  };
  return { ...limits, unwrittenBytes: limits.unwrittenEntries * USUAL_ENTRY_BYTES };
}
