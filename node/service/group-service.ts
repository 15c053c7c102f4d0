import { v7 as uuidv7 } from 'uuid';
import { toGroupView } from '../../src/api/group-view.ts';
import type { GroupView, Page } from '../../src/api/views.ts';
import type { Identity } from '../../src/auth.ts';
import { Rejection } from '../../src/errors.ts';
import type { GroupId } from '../../src/ids.ts';
import type { Group, GroupSpec } from '../../src/jobs/group.ts';
import type { Command, Idempotency } from '../../src/state/commands.ts';
import type { Consistency, GroupQuery } from '../core.ts';
import type { Replica } from '../replica/replica.ts';
import type { JobWatch } from './job-watch.ts';
import { expectTaken } from './results.ts';

export interface GroupServiceDependencies {
  readonly replica: Pick<Replica, 'state' | 'propose' | 'barrier'>;
  readonly watch: Pick<JobWatch, 'until'>;
}

export class GroupService {
  readonly #replica: GroupServiceDependencies['replica'];
  readonly #watch: GroupServiceDependencies['watch'];

  constructor(dependencies: GroupServiceDependencies) {
    this.#replica = dependencies.replica;
    this.#watch = dependencies.watch;
  }

  async create(
    identity: Identity,
    spec: GroupSpec,
    idempotency: Idempotency | null,
  ): Promise<{ readonly group: GroupView; readonly existed: boolean }> {
    const command: Command = { kind: 'createGroup', id: uuidv7() as GroupId, spec, idempotency };
    const results = await this.#replica.propose(identity.principal, [command]);
    expectTaken(results);
    const [result] = results;
    const { group = command.id, existed = false } = result?.ok === true ? result : {};
    return { group: toGroupView(this.#find(group)), existed };
  }

  async get(id: GroupId, consistency: Consistency): Promise<GroupView> {
    await this.#settle(consistency);
    return toGroupView(this.#find(id));
  }

  async list({ limit, cursor }: GroupQuery, consistency: Consistency): Promise<Page<GroupView>> {
    await this.#settle(consistency);
    const groups = [...this.#replica.state.groups.values()].filter(({ id }) => cursor === null || id < cursor);
    // The nodes that made them have clocks of their own, so the order in which they were made is not that of the ids.
    const newestFirst = groups.toSorted((a, b) => (a.id < b.id ? 1 : -1));
    const items = newestFirst.slice(0, limit);
    return { items: items.map(toGroupView), nextCursor: groups.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  close(identity: Identity, id: GroupId): Promise<GroupView> {
    return this.#propose(identity, { kind: 'closeGroup', id }, id);
  }

  cancel(identity: Identity, id: GroupId): Promise<GroupView> {
    return this.#propose(identity, { kind: 'cancelGroup', id }, id);
  }

  async wait(id: GroupId, timeoutMs: number, signal: AbortSignal): Promise<GroupView> {
    await this.#replica.barrier();
    const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const finished = await this.#watch.until(id, over, () => {
      const group = this.#find(id);
      return group.state === 'finished' ? group : undefined;
    });
    return toGroupView(finished ?? this.#find(id));
  }

  async #propose(identity: Identity, command: Command, id: GroupId): Promise<GroupView> {
    expectTaken(await this.#replica.propose(identity.principal, [command]));
    return toGroupView(this.#find(id));
  }

  #find(id: GroupId): Group {
    const group = this.#replica.state.groups.get(id);
    if (group === undefined) throw new Rejection('unknownGroup', `no group has the id ${id}`);
    return group;
  }

  async #settle(consistency: Consistency): Promise<void> {
    if (consistency === 'linearizable') await this.#replica.barrier();
  }
}
