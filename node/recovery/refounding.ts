import { randomBytes } from 'node:crypto';
import type { Configuration, Entry, HardState, Index, NodeId, Term } from '../../raft/types.ts';
import { SYSTEM } from '../../src/auth.ts';
import { encodeEntry } from '../../src/state/codec.ts';

/** Where a log ends that goes on as that of another cluster. */
export interface LogEnd {
  readonly index: Index;
  readonly term: Term;
}

export interface Refounding {
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
}

/**
 * What is appended to a log so that one node goes on alone with it: a configuration in which it is the only voter, and
 * the command that gives the state the new cluster's id and takes the other nodes out of it.
 * @param committed known to be so before
 */
export function refound(self: NodeId, clusterId: string, end: LogEnd, committed: Index): Refounding {
  const term = end.term + 1;
  const data = encodeEntry({
    at: Date.now(),
    proposals: [
      {
        principal: SYSTEM,
        origin: `refound-${randomBytes(9).toString('base64url')}`,
        sequence: 1,
        commands: [{ kind: 'refoundCluster', clusterId, keep: self }],
      },
    ],
  });
  return {
    hardState: { term, vote: self, commit: committed },
    entries: [
      { kind: 'configuration', index: end.index + 1, term, configuration: onlyVoter(self) },
      { kind: 'data', index: end.index + 2, term, data },
    ],
  };
}

export function onlyVoter(self: NodeId): Configuration {
  return { voters: [self], outgoing: [], learners: [], learnersNext: [] };
}
