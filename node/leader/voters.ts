import type { Logger } from 'pino';
import { SYSTEM } from '../../src/auth.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Command } from '../../src/state/commands.ts';
import { replaceDeadAfterMs, voterPolicyOf } from '../../src/state/voter-policy.ts';
import type { MemberReport } from '../member-messages.ts';
import type { Replica } from '../replica/replica.ts';
import { LEADER_LIMITS } from './limits.ts';
import { MemberWatch } from './member-watch.ts';
import { planVoters, type PlannedChange, type VoterPicture } from './voter-plan.ts';

export interface VotersDependencies {
  readonly self: NodeId;
  readonly replica: Pick<Replica, 'consensus' | 'state' | 'change' | 'propose'>;
  readonly logger: Logger;
  /** Milliseconds by a clock that never jumps. */
  readonly now: () => number;
}

/** From one election of this node to its end: what was begun in one does not go on in the next. */
interface Tenure {
  state: 'idle' | 'changing';
}

/** Makes the membership what users wish and the policy says, one change at a time (dissertation §4). */
export class Voters {
  readonly #parts: VotersDependencies;
  readonly #watch = new MemberWatch();
  /** Null while this node does not lead. */
  #tenure: Tenure | null = null;

  constructor(dependencies: VotersDependencies) {
    this.#parts = dependencies;
  }

  start(): void {
    if (this.#tenure !== null) return;
    this.#tenure = { state: 'idle' };
    this.#watch.clear();
    this.#look();
  }

  stop(): void {
    this.#tenure = null;
  }

  forgive(): void {
    this.#watch.forgive(this.#parts.now());
  }

  async review(): Promise<void> {
    const tenure = this.#tenure;
    if (tenure === null) return;
    this.#look();
    if (tenure.state === 'changing') return;
    tenure.state = 'changing';
    try {
      await this.#makeChanges(tenure);
    } finally {
      tenure.state = 'idle';
    }
  }

  /** Null when this node does not lead. */
  report(): MemberReport | null {
    if (this.#tenure === null) return null;
    const { consensus } = this.#parts.replica;
    const now = this.#parts.now();
    this.#look();
    return {
      term: consensus.term,
      lastIndex: consensus.lastIndex,
      commitIndex: consensus.commitIndex,
      members: consensus.progress().map(({ peer, matchIndex, recentActive, caughtUp }) => ({
        id: peer,
        matchIndex,
        isAlive: recentActive,
        isCaughtUp: caughtUp,
        heardMsAgo: this.#watch.heardMsAgo(peer, now),
      })),
    };
  }

  #look(): void {
    this.#watch.review(this.#parts.replica.consensus.progress(), this.#parts.now());
  }

  async #makeChanges(tenure: Tenure): Promise<void> {
    for (let made = 0; made < LEADER_LIMITS.changesPerReview; made += 1) {
      if (this.#tenure !== tenure || !(await this.#doNext())) return;
      this.#look();
    }
    this.#parts.logger.warn({ changes: LEADER_LIMITS.changesPerReview }, 'the membership goes on changing');
  }

  /** @returns whether something was done, so that there may be more to do */
  async #doNext(): Promise<boolean> {
    const fulfilled = this.#fulfilled();
    if (fulfilled !== null) return this.#propose(fulfilled);
    const planned = planVoters(this.#picture());
    return planned !== null && this.#carryOut(planned);
  }

  async #carryOut({ why, nodes, change }: PlannedChange): Promise<boolean> {
    const { replica, logger } = this.#parts;
    try {
      logger.info({ why, nodes, change: change.kind }, 'changing the membership');
      await replica.change(change);
      return true;
    } catch (error) {
      logger.warn({ why, nodes, err: error }, 'the membership was not changed');
      return false;
    }
  }

  /** What is left to note of a wish that the membership already fulfils. */
  #fulfilled(): Command | null {
    const { consensus, state } = this.#parts.replica;
    const { voters, outgoing, learners, learnersNext } = consensus.configuration;
    const members = new Set([...voters, ...outgoing, ...learners, ...learnersNext]);
    for (const { id: node, wish } of state.nodes.values()) {
      if (wish === 'leave' && !members.has(node)) return { kind: 'forgetNode', node };
      if (wish === 'voter' && voters.includes(node)) return { kind: 'wishMember', node, wish: 'none' };
    }
    return null;
  }

  async #propose(command: Command): Promise<boolean> {
    const { replica, logger } = this.#parts;
    try {
      const [result] = await replica.propose(SYSTEM, [command]);
      logger.info({ command, result }, 'a wish about a member is fulfilled');
      return result?.ok === true;
    } catch (error) {
      logger.warn({ command, err: error }, 'a fulfilled wish about a member was not noted');
      return false;
    }
  }

  #picture(): VoterPicture {
    const { self, replica, now } = this.#parts;
    const { consensus, state } = replica;
    const { configuration } = consensus;
    const policy = voterPolicyOf(state);
    const at = now();
    return {
      leader: self,
      configuration,
      wanted: policy.voters,
      replaceDeadAfterMs: replaceDeadAfterMs(policy, configuration.voters.length),
      wishOf: (node) => state.nodes.get(node)?.wish ?? null,
      isAlive: (node) => node === self || this.#watch.isAlive(node),
      isCaughtUp: (node) => this.#watch.isCaughtUp(node),
      silentMs: (node) => this.#watch.silentMs(node, at),
    };
  }
}
