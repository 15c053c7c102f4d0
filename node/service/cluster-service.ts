import { toRunnerView } from '../../src/api/runner-view.ts';
import { toStatsView } from '../../src/api/stats-view.ts';
import type { ClusterView, RunnerView, StatsView } from '../../src/api/views.ts';
import type { Identity } from '../../src/auth.ts';
import { Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Consistency, VoterPolicyChange } from '../core.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { Replica } from '../replica/replica.ts';
import type { CapacityView } from './capacity.ts';
import { describeCluster } from './cluster-view.ts';
import type { MemberInquiry } from './member-inquiry.ts';
import { expectTaken } from './results.ts';

export interface ClusterServiceDependencies {
  readonly self: NodeId;
  readonly replica: Replica;
  readonly network: PeerNetwork;
  readonly capacity: CapacityView;
  readonly inquiry: MemberInquiry;
}

/** Tells of the cluster and its runners; what changes members is in `MemberService`. */
export class ClusterService {
  readonly #parts: ClusterServiceDependencies;

  constructor(dependencies: ClusterServiceDependencies) {
    this.#parts = dependencies;
  }

  /** `stale` asks nobody: what only others know is null then. */
  async view(consistency: Consistency): Promise<ClusterView> {
    const { self, replica, network, inquiry } = this.#parts;
    const local = { self, replica, connected: network.connected(), now: Date.now() };
    if (consistency === 'stale') {
      const report = replica.isLeader ? await inquiry.report().catch(() => null) : null;
      return describeCluster({ ...local, report, positions: new Map() });
    }
    await replica.barrier();
    const { voters, learners, learnersNext } = replica.consensus.configuration;
    const others = [...voters, ...learners, ...learnersNext].filter((id) => id !== self);
    const [report, positions] = await Promise.all([inquiry.report().catch(() => null), inquiry.positions(others)]);
    return describeCluster({ ...local, report, positions });
  }

  async runners(consistency: Consistency): Promise<readonly RunnerView[]> {
    const { replica, capacity } = this.#parts;
    if (consistency === 'linearizable') await replica.barrier();
    return [...replica.state.runners.values()].map((runner) =>
      toRunnerView(replica.state, runner, capacity.loadOf(runner.id)),
    );
  }

  async stats(consistency: Consistency): Promise<StatsView> {
    const { replica } = this.#parts;
    if (consistency === 'linearizable') await replica.barrier();
    return toStatsView(replica.state, replica.applier.applied);
  }

  async drain(identity: Identity, id: NodeId, mode: 'drain' | 'undrain'): Promise<RunnerView> {
    const { replica, capacity } = this.#parts;
    expectTaken(await replica.propose(identity.principal, [{ kind: 'drainRunner', runner: id, mode }]));
    const runner = replica.state.runners.get(id);
    if (runner === undefined) throw new Rejection('notFound', `no runner has the id ${id}`);
    return toRunnerView(replica.state, runner, capacity.loadOf(id));
  }

  async setVoterPolicy(identity: Identity, { voters, replaceDead }: VoterPolicyChange): Promise<ClusterView> {
    const { replica } = this.#parts;
    expectTaken(await replica.propose(identity.principal, [{ kind: 'setVoterPolicy', voters, replaceDead }]));
    return this.view('linearizable');
  }
}
