import type { Mutation } from '../support/mutant.ts';

/** A mistake that somebody made once, here or elsewhere, as a change of the sources. */
export interface Mistake {
  readonly name: string;
  readonly mutations: readonly Mutation[];
}

function mistake(name: string, file: string, find: string, replace: string): Mistake {
  return { name, mutations: [{ file, find, replace }] };
}

/** What the simulator must find: `scripts/sim --mutants` shows that it does. */
export const MISTAKES: readonly Mistake[] = [
  mistake('vote sent before it is durable', 'raft/voting.ts', 'core.sendWhenDurable({', 'core.send({'),
  mistake(
    'vote asked for before the own one is durable',
    'raft/candidate.ts',
    'else core.sendWhenDurable({ ...request, ...envelope });',
    'else core.send({ ...request, ...envelope });',
  ),
  mistake(
    'an election won by the new half of a joint configuration',
    'raft/quorum.ts',
    'if (configuration.outgoing.length > 0) results.push(countHalf(configuration.outgoing, votes));',
    '',
  ),
  mistake(
    'a commit by the new half of a joint configuration',
    'raft/quorum.ts',
    'return Math.min(reached, reachedByMajority(configuration.outgoing, valueOf));',
    'return reached;',
  ),
  mistake(
    'vote left out of the hard state',
    'raft/core.ts',
    'const hardState = { term: this.#term, vote: this.#vote, commit: this.#commitIndex };',
    'const hardState = { term: this.#term, vote: null, commit: this.#commitIndex };',
  ),
  mistake(
    'vote for a candidate whose log is behind',
    'raft/voting.ts',
    'return core.log.isCoveredBy(request.lastLogIndex, request.lastLogTerm);',
    'return request.lastLogIndex >= 0;',
  ),
  mistake('append acknowledged before it is durable', 'raft/follower.ts', 'core.sendWhenDurable({', 'core.send({'),
  mistake(
    'own log counted before it is durable',
    'raft/leader.ts',
    'if (voter === core.id) return core.durability.stableIndex;',
    'if (voter === core.id) return core.log.lastIndex;',
  ),
  mistake(
    'entries of an older term committed by counting (figure 8)',
    'raft/leader.ts',
    'if (reached <= before || log.termAt(reached) !== core.term) return;',
    'if (reached <= before) return;',
  ),
  mistake(
    'a majority of an even number taken as half',
    'raft/quorum.ts',
    'values[Math.floor(values.length / 2)]',
    'values[Math.floor((values.length - 1) / 2)]',
  ),
  mistake(
    'acknowledgements of a former session counted',
    'raft/replication.ts',
    "if (progress.meetSession(response.session, ANY_TICK, core.tick) === 'doubtful') return;",
    'progress.meetSession(response.session, ANY_TICK, core.tick);',
  ),
  mistake(
    'persisted counted for entries that were written anew since (ABA)',
    'raft/durability.ts',
    'for (const write of this.#inFlight) if (write.claim !== null) write.claim = Math.min(write.claim, from - 1);',
    '',
  ),
  mistake(
    'commit taken over for entries that this leader has not confirmed',
    'raft/follower.ts',
    'core.commitTo(Math.min(leaderCommit, Math.max(core.verifiedIndex, core.commitIndex)));',
    'core.commitTo(Math.min(leaderCommit, core.log.lastIndex));',
  ),
  mistake(
    'a snapshot keeps entries that conflict with it',
    'raft/follower.ts',
    'if (core.log.matches(snapshot.index, snapshot.term)) {',
    'if (core.log.lastIndex >= snapshot.index) {',
  ),
  mistake(
    'a membership change before a commit in the term',
    'raft/leader.ts',
    "if (core.commitIndex < lead.firstIndexOfTerm) return 'noCommitInTerm';",
    '',
  ),
  mistake(
    'two membership changes at once',
    'raft/leader.ts',
    "if (configurationIndex > core.commitIndex || isJoint(configuration)) return 'changeInProgress';",
    "if (isJoint(configuration)) return 'changeInProgress';",
  ),
  mistake(
    'a read answered without confirming leadership',
    'raft/reading.ts',
    "if (commitIndex !== null && core.options.reads === 'lease' && holdsLease(core, lead)) {",
    'if (commitIndex !== null) {',
  ),
  mistake(
    'a lease kept after a stall',
    'raft/reading.ts',
    'return start >= core.stalledTick && core.tick - start',
    'return core.tick - start',
  ),
  mistake(
    'a stall noticed only at the next tick',
    'node/replica/raft-driver.ts',
    'this.#watch?.hasLostTime(this.#dependencies.runtime.now()) === true',
    'input.kind === "tick"',
  ),
  mistake(
    'a read before a commit in the term',
    'raft/reading.ts',
    'return core.commitIndex >= lead.firstIndexOfTerm ? core.commitIndex : null;',
    'return lead.firstIndexOfTerm > 0 ? core.commitIndex : null;',
  ),
  mistake(
    'a read answered before the state has come so far',
    'node/replica/replica.ts',
    'waitForApplied: (index) => this.#applier.waitFor(index),',
    'waitForApplied: async () => undefined,',
  ),
  mistake(
    'a read joins a confirmation that was asked for before it',
    'node/replica/reader.ts',
    'const round = this.#next;\n    if (round.waiters',
    'const round = this.#current?.round ?? this.#next;\n    if (round.waiters',
  ),
  mistake(
    'messages leave before the write that they wait for',
    'node/replica/raft-driver.ts',
    '      await this.#dependencies.log.persist(request);',
    '      for (const message of request.messages) this.#send(message);\n      await this.#dependencies.log.persist(request);',
  ),
  mistake(
    'a failed sync taken for a successful one',
    'node/replica/raft-driver.ts',
    'if (!this.#stopped) this.#listener.fatal(fault);',
    "if (!this.#stopped) this.step({ kind: 'persisted', seq: request.seq });",
  ),
  mistake(
    'the log cut before the state is durable',
    'node/replica/compactor.ts',
    'const durable = await applier.flush();',
    'const durable = applier.applied;',
  ),
  mistake(
    'the applied index written before its effects',
    'node/replica/applier.ts',
    '      await store.write(changes, index);',
    '      await store.write([], index);\n      await store.write(changes, index);',
  ),
  mistake(
    'entries applied before they are committed',
    'raft/core.ts',
    'const upTo = Math.min(this.#commitIndex, this.durability.stableIndex);',
    'const upTo = this.durability.stableIndex;',
  ),
  {
    name: 'clients answered when the entry is in the log, before it is committed',
    mutations: [
      {
        file: 'node/replica/proposer.ts',
        find: 'import { encodeProposal, packEntry }',
        replace: 'import { decodeProposal, encodeProposal, packEntry }',
      },
      {
        file: 'node/replica/proposer.ts',
        find: 'if (pending !== undefined) pending.repeatAt = Infinity;',
        replace: `pending?.resolve(decodeProposal(pending.bytes).commands.map((command) =>
          command.kind === 'submit' ? { ok: true, job: command.id } : { ok: true }));`,
      },
    ],
  },
  mistake(
    'answers given to whoever waits under that number',
    'node/replica/proposer.ts',
    'if (outcome.origin !== this.#origin) return;',
    '',
  ),
  mistake(
    'a repeated proposal applied again',
    'src/state/repeats.ts',
    "if (!hasNumber(record.applied, sequence)) return 'new';",
    "if (sequence > 0) return 'new';",
  ),
  mistake(
    'a snapshot installed without the proposals that it has seen',
    'src/state/state.ts',
    'state.proposers.set(record.key, record.value);',
    '',
  ),
  mistake(
    'a state that depends on the time of the machine',
    'src/state/apply.ts',
    'const at = Math.max(told, cluster.clock);',
    'const at = Math.max(told, cluster.clock, Date.now() * 1000);',
  ),
];
