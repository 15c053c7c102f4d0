import { allows, type Identity } from '../../src/auth.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { MemberWish } from '../../src/state/records.ts';
import { voterPolicyOf } from '../../src/state/voter-policy.ts';
import type { Configuration, MembershipChange } from '../../raft/types.ts';
import type { ChangeMode } from '../core.ts';
import { marginAfter } from '../leader/quorum-margin.ts';
import type { MemberReport } from '../member-messages.ts';
import type { Replica } from '../replica/replica.ts';
import type { MemberInquiry } from './member-inquiry.ts';
import { expectTaken } from './results.ts';

export interface MemberServiceTimes {
  /** How long a change is waited for before the caller is told that it may still come. */
  readonly changeMs: number;
  readonly transferMs: number;
  readonly pollMs: number;
}

export const MEMBER_SERVICE_TIMES: MemberServiceTimes = { changeMs: 10_000, transferMs: 5_000, pollMs: 20 };

export interface MemberServiceDependencies {
  readonly self: NodeId;
  readonly replica: Replica;
  readonly inquiry: MemberInquiry;
  /** Lets a member hand over its blobs; how many are left, and zero when it cannot be asked. */
  readonly handOver: (id: NodeId) => Promise<number>;
  /** Settles when this node finds that it was removed. */
  readonly removed: Promise<void>;
}

/**
 * Changes of the membership that users ask for, at any node. What is wished is noted in the log, so the leader of the
 * moment carries it out, and the next one goes on where it stopped; here it is checked before and waited for after.
 */
export class MemberService {
  readonly #parts: MemberServiceDependencies;
  readonly #times: MemberServiceTimes;

  constructor(dependencies: MemberServiceDependencies, times: MemberServiceTimes) {
    this.#parts = dependencies;
    this.#times = times;
  }

  /**
   * @throws Rejection `notFound`, `memberUnreachable`, `memberBehind`, `enoughVoters`, `quorumAtRisk`, `invalidChange`;
   *   Fault `timedOut` when it is wished and not so yet
   */
  async setRole(
    identity: Identity,
    id: NodeId,
    role: 'voter' | 'learner' | 'automatic',
    mode: ChangeMode,
  ): Promise<void> {
    requireScope(identity);
    await this.#requireMember(id);
    if (role === 'automatic') return this.#wish(identity, id, 'none');
    if (role === 'voter') return this.#promote(identity, id);
    if (this.#configuration.voters.includes(id)) await this.#requireSafe({ kind: 'demote', node: id }, mode);
    await this.#wish(identity, id, 'learner');
    if (mode === 'force') await this.#force(id, 'learner');
    await this.#settled(`${id} votes still`, () => !isVoter(this.#configuration, id));
  }

  /** Once its blobs are elsewhere, unless forced. @throws as `setRole` */
  async remove(identity: Identity, id: NodeId, mode: ChangeMode): Promise<void> {
    requireScope(identity);
    const { replica, self, removed } = this.#parts;
    await replica.barrier();
    if (!isMember(this.#configuration, id)) return this.#endRemoval(identity, id);
    await this.#requireSafe({ kind: 'remove', node: id }, mode);
    if (mode === 'safely') await this.#requireHandedOver(id);
    const left = this.#leave(identity, id, mode);
    // It may hear no more of the log before that tells it what became of its wish.
    await (id === self ? Promise.race([left, removed]) : left);
  }

  async #requireHandedOver(id: NodeId): Promise<void> {
    const left = await this.#parts.handOver(id);
    if (left === 0) return;
    throw new Fault(
      'timedOut',
      `${id} hands over its blobs first, and ${left} are not at other nodes yet: ask again in a while, or with --force`,
    );
  }

  async #leave(identity: Identity, id: NodeId, mode: ChangeMode): Promise<void> {
    const { replica, self } = this.#parts;
    await this.#wish(identity, id, 'leave');
    if (mode === 'force') await this.#force(id, 'none');
    await this.#settled(`${id} is a member still`, () => {
      if (isMember(this.#configuration, id)) return false;
      // What comes behind its own removal, a node does not hear any more.
      return id === self || !replica.state.nodes.has(id);
    });
  }

  /**
   * Resolves once the member leads.
   * @throws Rejection `notFound`, `notVoter`, `memberUnreachable`, `memberBehind`; Fault `timedOut`
   */
  async transfer(identity: Identity, to: NodeId): Promise<void> {
    requireScope(identity);
    await this.#requireMember(to);
    const { replica } = this.#parts;
    if (!this.#configuration.voters.includes(to)) {
      throw new Rejection('notVoter', `${to} does not vote, so it cannot lead: quorate cluster add ${to}`);
    }
    if (replica.leader === to) return;
    requireReady(await this.#parts.inquiry.report(), to);
    await replica.transfer(to);
    await waitFor(
      () => replica.leader === to,
      this.#times.transferMs,
      this.#times.pollMs,
      () => {
        const now = replica.leader === null ? 'no leader is known' : `${replica.leader} leads`;
        return `the transfer to ${to} did not come about in time: ${now}`;
      },
    );
  }

  get #configuration(): Configuration {
    return this.#parts.replica.consensus.configuration;
  }

  async #promote(identity: Identity, id: NodeId): Promise<void> {
    if (this.#configuration.voters.includes(id)) return this.#wish(identity, id, 'none');
    const report = await this.#parts.inquiry.report();
    requireReady(report, id);
    this.#requireRoom(report);
    await this.#wish(identity, id, 'voter');
    await this.#settled(`${id} does not vote yet`, () => this.#configuration.voters.includes(id));
  }

  /** There is room too where a dead voter can be replaced. */
  #requireRoom(report: MemberReport): void {
    const { replica } = this.#parts;
    const { voters } = this.#configuration;
    const { voters: wanted } = voterPolicyOf(replica.state);
    const living = voters.filter((voter) => isAlive(report, replica.leader, voter));
    if (voters.length < wanted || living.length < voters.length) return;
    throw new Rejection(
      'enoughVoters',
      `${voters.length} nodes vote, as many as wanted, and all are alive: raise the number (quorate cluster set --voters), or demote one first`,
    );
  }

  async #requireSafe(change: MembershipChange, mode: ChangeMode): Promise<void> {
    const { replica, inquiry } = this.#parts;
    if (mode === 'force') return;
    const report = await inquiry.report();
    const margin = marginAfter(this.#configuration, change, (voter) => isAlive(report, replica.leader, voter));
    if (margin === null) {
      throw new Rejection('invalidChange', 'the last voter must stay: let another node join and vote first');
    }
    if (margin >= 0) return;
    throw new Rejection(
      'quorumAtRisk',
      'too many other voters are dead: without this one no majority would be alive, and the cluster would stop; start or remove the dead ones first',
    );
  }

  async #requireMember(id: NodeId): Promise<void> {
    await this.#parts.replica.barrier();
    if (!isMember(this.#configuration, id)) throw new Rejection('notFound', `no member has the id ${id}`);
  }

  async #wish(identity: Identity, node: NodeId, wish: MemberWish | 'none'): Promise<void> {
    const { replica } = this.#parts;
    expectTaken(await replica.propose(identity.principal, [{ kind: 'wishMember', node, wish }]));
  }

  /** A removal was cut short, or a runner's record was left behind. */
  async #endRemoval(identity: Identity, id: NodeId): Promise<void> {
    const { replica } = this.#parts;
    if (replica.state.removed.has(id)) return;
    if (!replica.state.nodes.has(id) && !replica.state.runners.has(id)) {
      throw new Rejection('notFound', `no member has the id ${id}`);
    }
    expectTaken(await replica.propose(identity.principal, [{ kind: 'forgetNode', node: id }]));
  }

  /** The leader makes a safe change by itself, and may be about to. */
  async #force(id: NodeId, role: 'learner' | 'none'): Promise<void> {
    try {
      await this.#parts.replica.changeMembership(id, role);
    } catch (error) {
      if (!(error instanceof Rejection) || error.code !== 'changeInProgress') throw error;
    }
  }

  #settled(otherwise: string, isSo: () => boolean): Promise<void> {
    return waitFor(isSo, this.#times.changeMs, this.#times.pollMs, () => {
      return `${otherwise}; the wish is noted, and the leader carries it out as soon as it safely can`;
    });
  }
}

/** @throws Fault `timedOut` */
async function waitFor(isSo: () => boolean, timeoutMs: number, pollMs: number, otherwise: () => string): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Fault('timedOut', otherwise());
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function isMember({ voters, outgoing, learners, learnersNext }: Configuration, id: NodeId): boolean {
  return [...voters, ...outgoing, ...learners, ...learnersNext].includes(id);
}

function isVoter({ voters, outgoing }: Configuration, id: NodeId): boolean {
  return voters.includes(id) || outgoing.includes(id);
}

function isAlive(report: MemberReport, leader: NodeId | null, id: NodeId): boolean {
  return id === leader || report.members.some((member) => member.id === id && member.isAlive);
}

/** @throws Rejection `memberUnreachable`, `memberBehind` */
function requireReady(report: MemberReport, id: NodeId): void {
  const member = report.members.find((reported) => reported.id === id);
  if (member?.isAlive !== true) {
    throw new Rejection('memberUnreachable', `the leader does not hear of ${id}: start it, or look at its network`);
  }
  if (member.isCaughtUp) return;
  const behind = report.lastIndex - member.matchIndex;
  throw new Rejection('memberBehind', `${id} is ${behind} entries behind: try again when it has caught up`);
}

/** For the changes that go through consensus itself and not by a command, where apply cannot check the principal. */
function requireScope(identity: Identity): void {
  if (!allows(identity.scopes, 'cluster:write')) {
    throw new Rejection('forbidden', 'this needs the scope cluster:write');
  }
}
