import { Fault, Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import { decodeHandOver, decodeMemberPosition, decodeMemberReport, encodeDispatch } from '../dispatch-messages.ts';
import type { MemberPosition, MemberReport } from '../member-messages.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { Replica } from '../replica/replica.ts';

const REPORT_MS = 2_000;
const POSITION_MS = 1_000;
/** More than a member takes until it tells how much is left. */
const HAND_OVER_MS = 30_000;

export interface MemberInquiryDependencies {
  readonly self: NodeId;
  readonly replica: Pick<Replica, 'leader'>;
  readonly network: Pick<PeerNetwork, 'request' | 'connected'>;
  /** What this node knows while it leads, else null. */
  readonly reportHere: () => MemberReport | null;
}

/** Asks the others what only they know of the members. */
export class MemberInquiry {
  readonly #parts: MemberInquiryDependencies;

  constructor(dependencies: MemberInquiryDependencies) {
    this.#parts = dependencies;
  }

  /** What the leader knows. @throws Fault `noLeader`, `notLeader`, `peerUnreachable`, `timedOut` */
  async report(): Promise<MemberReport> {
    const { self, replica, network, reportHere } = this.#parts;
    const { leader } = replica;
    if (leader === null) throw new Fault('noLeader', 'no leader is known at this node');
    const report =
      leader === self
        ? reportHere()
        : decodeMemberReport(
            await network.request(leader, 'dispatch', encodeDispatch({ kind: 'reportMembers' }), {
              timeoutMs: REPORT_MS,
            }),
          );
    if (report === null) throw new Fault('notLeader', 'the leader has only just been elected; try again');
    return report;
  }

  /** Lets a member hand over its blobs for a while: how many are left. One that is away or older is not waited for. */
  async handOver(id: NodeId): Promise<number> {
    const { network } = this.#parts;
    if (!network.connected().includes(id)) return 0;
    try {
      const request = encodeDispatch({ kind: 'handOverBlobs' });
      return decodeHandOver(await network.request(id, 'dispatch', request, { timeoutMs: HAND_OVER_MS })).left;
    } catch (error) {
      if (error instanceof Rejection && error.code === 'invalidRequest') return 0;
      throw error;
    }
  }

  /** How far each of them has come; those that do not answer soon are left out. */
  async positions(of: readonly NodeId[]): Promise<ReadonlyMap<NodeId, MemberPosition>> {
    const { network } = this.#parts;
    const connected = new Set(network.connected());
    const asked = of.filter((id) => connected.has(id));
    const request = encodeDispatch({ kind: 'tellPosition' });
    const answers = await Promise.allSettled(
      asked.map((id) => network.request(id, 'dispatch', request, { timeoutMs: POSITION_MS })),
    );
    const positions = new Map<NodeId, MemberPosition>();
    for (const [i, id] of asked.entries()) {
      const answer = answers[i];
      if (answer?.status === 'fulfilled') positions.set(id, decodeMemberPosition(answer.value));
    }
    return positions;
  }
}
