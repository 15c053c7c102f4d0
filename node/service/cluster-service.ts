import { toRunnerView } from '../../src/api/runner-view.ts';
import type { ClusterView, MemberView, RunnerView } from '../../src/api/views.ts';
import { allows, type Identity, type Scope } from '../../src/auth.ts';
import { Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Consistency } from '../core.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { Replica } from '../replica/replica.ts';
import type { CapacityView } from './capacity.ts';
import { expectTaken } from './results.ts';

export interface ClusterServiceDependencies {
  readonly self: NodeId;
  readonly replica: Replica;
  readonly network: PeerNetwork;
  readonly capacity: CapacityView;
}

export class ClusterService {
  readonly #parts: ClusterServiceDependencies;

  constructor(dependencies: ClusterServiceDependencies) {
    this.#parts = dependencies;
  }

  async view(consistency: Consistency): Promise<ClusterView> {
    const { replica, self } = this.#parts;
    if (consistency === 'linearizable') await replica.barrier();
    const { consensus } = replica;
    return {
      clusterId: replica.state.cluster?.clusterId ?? '',
      node: self,
      leader: consensus.leader,
      term: consensus.term,
      commitIndex: consensus.commitIndex,
      appliedIndex: replica.applier.applied,
      members: this.#members(),
    };
  }

  async runners(consistency: Consistency): Promise<readonly RunnerView[]> {
    const { replica, capacity } = this.#parts;
    if (consistency === 'linearizable') await replica.barrier();
    return [...replica.state.runners.values()].map((runner) =>
      toRunnerView(replica.state, runner, capacity.loadOf(runner.id)),
    );
  }

  async drain(identity: Identity, id: NodeId, mode: 'drain' | 'undrain'): Promise<RunnerView> {
    const { replica, capacity } = this.#parts;
    expectTaken(await replica.propose(identity.principal, [{ kind: 'drainRunner', runner: id, mode }]));
    const runner = replica.state.runners.get(id);
    if (runner === undefined) throw new Rejection('notFound', `no runner has the id ${id}`);
    return toRunnerView(replica.state, runner, capacity.loadOf(id));
  }

  async setRole(identity: Identity, id: NodeId, role: 'voter' | 'learner'): Promise<ClusterView> {
    requireScope(identity, 'cluster:write');
    this.#requireMember(id);
    await this.#parts.replica.changeMembership(id, role);
    return this.view('linearizable');
  }

  async remove(identity: Identity, id: NodeId): Promise<ClusterView> {
    requireScope(identity, 'cluster:write');
    const { replica } = this.#parts;
    // The second half of a removal that was cut short is still to be done.
    if (!replica.state.nodes.has(id) && !replica.state.runners.has(id)) this.#requireMember(id);
    await replica.changeMembership(id, 'none');
    const runner = replica.state.runners.get(id);
    expectTaken(await replica.propose(identity.principal, [{ kind: 'forgetNode', node: id }]));
    if (runner !== undefined) this.#parts.capacity.forget(id);
    return this.view('linearizable');
  }

  async transfer(identity: Identity, to: NodeId): Promise<ClusterView> {
    requireScope(identity, 'cluster:write');
    this.#requireMember(to);
    await this.#parts.replica.transfer(to);
    return this.view('stale');
  }

  #members(): readonly MemberView[] {
    const { replica, self, network } = this.#parts;
    const { voters, learners, learnersNext } = replica.consensus.configuration;
    const connected = new Set(network.connected());
    const member = (id: NodeId, role: MemberView['role']): MemberView => {
      const node = replica.state.nodes.get(id);
      return {
        id,
        role,
        addresses: node?.addresses ?? [],
        http: node?.http ?? null,
        health: id === self || connected.has(id) ? 'alive' : 'unreachable',
        version: node?.version ?? 'unknown',
      };
    };
    return [
      ...voters.map((id) => member(id, 'voter')),
      ...[...learners, ...learnersNext].map((id) => member(id, 'learner')),
    ];
  }

  #requireMember(id: NodeId): void {
    const { voters, learners } = this.#parts.replica.consensus.configuration;
    if (!voters.includes(id) && !learners.includes(id)) throw new Rejection('notFound', `no member has the id ${id}`);
  }
}

/** Membership is changed through consensus itself and not by a command, so apply cannot check the principal. */
function requireScope(identity: Identity, scope: Scope): void {
  if (!allows(identity.scopes, scope)) throw new Rejection('forbidden', `this needs the scope ${scope}`);
}
