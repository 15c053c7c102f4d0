import { assert } from '../errors.ts';
import type { JobPlan } from '../jobs/plan.ts';
import { add, type Resources, subtract, ZERO } from '../resources/resources.ts';
import { type Capacity, dominantShare, NO_USE, type Use, withOneLess, withOneMore } from './use.ts';

/** What runs of one queue, or of one project in it. */
export interface Account {
  use: Use;
  /**
   * The virtual time of start-time fair queueing (Goyal et al. 1996): how much was started, by weight. It decides
   * between accounts that hold equal shares, and is no part of the replicated state: replicas may differ in it.
   */
  served: number;
  /** Jobs that are queued or have a live attempt; without any the account is closed, and a later one owes nothing. */
  jobs: number;
}

export interface QueueAccount extends Account {
  readonly projects: Map<string, Account>;
  /** Where the virtual time of its projects stands. */
  now: number;
  /** Live attempts by their priority. */
  readonly livePriorities: Map<number, number>;
}

type Owner = Pick<JobPlan, 'queue' | 'project'>;

/** Who uses how much of the cluster; derived from the jobs and the runners. */
export class QueueUse {
  readonly #queues = new Map<string, QueueAccount>();
  #capacity: Capacity = { runners: 0, total: ZERO };
  /** Where the virtual time of the queues stands. */
  #now = 0;

  get capacity(): Capacity {
    return this.#capacity;
  }

  get queues(): ReadonlyMap<string, QueueAccount> {
    return this.#queues;
  }

  useOf(queue: string): Use {
    return this.#queues.get(queue)?.use ?? NO_USE;
  }

  useOfProject({ queue, project }: Owner): Use {
    return this.#queues.get(queue)?.projects.get(project)?.use ?? NO_USE;
  }

  /** @param before null for a new runner, @param after null for one that is gone */
  changeRunner(before: Resources | null, after: Resources | null): void {
    const { runners, total } = this.#capacity;
    const less = before === null ? total : subtract(total, before);
    this.#capacity = {
      runners: runners - (before === null ? 0 : 1) + (after === null ? 0 : 1),
      total: after === null ? less : add(less, after),
    };
  }

  /** A job that is queued or has a live attempt. */
  open({ queue, project }: Owner): void {
    const account = this.#queues.get(queue) ?? {
      use: NO_USE,
      served: this.#now,
      jobs: 0,
      projects: new Map<string, Account>(),
      now: 0,
      livePriorities: new Map<number, number>(),
    };
    const own = account.projects.get(project) ?? { use: NO_USE, served: account.now, jobs: 0 };
    account.jobs += 1;
    own.jobs += 1;
    account.projects.set(project, own);
    this.#queues.set(queue, account);
  }

  /** The reverse of `open`. */
  close(owner: Owner): void {
    const [account, own] = this.#accountsOf(owner);
    account.jobs -= 1;
    own.jobs -= 1;
    if (own.jobs === 0) account.projects.delete(owner.project);
    if (account.jobs === 0) this.#queues.delete(owner.queue);
  }

  /** A live attempt, between `open` and `close`. */
  take({ queue, project, demand, priority }: JobPlan): void {
    const [account, own] = this.#accountsOf({ queue, project });
    account.livePriorities.set(priority, (account.livePriorities.get(priority) ?? 0) + 1);
    account.use = withOneMore(account.use, demand);
    own.use = withOneMore(own.use, demand);
  }

  /** The reverse of `take`. */
  giveBack({ queue, project, demand, priority }: JobPlan): void {
    const [account, own] = this.#accountsOf({ queue, project });
    const left = (account.livePriorities.get(priority) ?? 0) - 1;
    if (left > 0) account.livePriorities.set(priority, left);
    else account.livePriorities.delete(priority);
    account.use = withOneLess(account.use, demand);
    own.use = withOneLess(own.use, demand);
  }

  /** Once for each attempt, between `open` and `close`. @param weight of its queue */
  charge({ queue, project, demand }: JobPlan, weight: number): void {
    const [account, own] = this.#accountsOf({ queue, project });
    const cost = dominantShare({ running: 1, taken: demand }, this.#capacity);
    this.#now = Math.max(this.#now, account.served);
    account.now = Math.max(account.now, own.served);
    account.served += cost / weight;
    own.served += cost;
  }

  #accountsOf({ queue, project }: Owner): [QueueAccount, Account] {
    const account = this.#queues.get(queue);
    const own = account?.projects.get(project);
    assert(account !== undefined && own !== undefined, 'a job that is queued or runs has accounts');
    return [account, own];
  }
}
