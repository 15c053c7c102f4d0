import { queueNames, toQueueView } from '../../src/api/queue-view.ts';
import type { Page, QueueView } from '../../src/api/views.ts';
import type { Identity } from '../../src/auth.ts';
import type { QueueChange } from '../../src/jobs/queue-settings.ts';
import type { Command } from '../../src/state/commands.ts';
import type { Consistency, QueueQuery } from '../core.ts';
import type { Replica } from '../replica/replica.ts';
import { expectTaken } from './results.ts';

/** Tells of queues, and changes what is set for them. Every name is that of a queue: one that nobody set is as by default. */
export class QueueService {
  readonly #replica: Pick<Replica, 'state' | 'propose' | 'barrier'>;

  constructor(replica: Pick<Replica, 'state' | 'propose' | 'barrier'>) {
    this.#replica = replica;
  }

  async get(name: string, consistency: Consistency): Promise<QueueView> {
    await this.#settle(consistency);
    return toQueueView(this.#replica.state, name);
  }

  /** By name. */
  async list({ limit, cursor }: QueueQuery, consistency: Consistency): Promise<Page<QueueView>> {
    await this.#settle(consistency);
    const { state } = this.#replica;
    const names = queueNames(state).filter((name) => cursor === null || name > cursor);
    const page = names.slice(0, limit);
    return {
      items: page.map((name) => toQueueView(state, name)),
      nextCursor: names.length > limit ? (page.at(-1) ?? null) : null,
    };
  }

  set(identity: Identity, name: string, change: QueueChange): Promise<QueueView> {
    return this.#propose(identity, { kind: 'setQueue', name, change }, name);
  }

  reset(identity: Identity, name: string): Promise<QueueView> {
    return this.#propose(identity, { kind: 'resetQueue', name }, name);
  }

  async #propose(identity: Identity, command: Command, name: string): Promise<QueueView> {
    expectTaken(await this.#replica.propose(identity.principal, [command]));
    return toQueueView(this.#replica.state, name);
  }

  async #settle(consistency: Consistency): Promise<void> {
    if (consistency === 'linearizable') await this.#replica.barrier();
  }
}
