import type { Identity, JobAttempt } from '../../src/auth.ts';
import { jobPrincipalId } from '../../src/auth.ts';
import { Rejection, unreachable } from '../../src/errors.ts';
import type { GroupId } from '../../src/ids.ts';
import type { Named } from '../core.ts';
import type { Replica } from '../replica/replica.ts';
import type { JobStore } from './job-store.ts';

/** What a job may see of the cluster with the token in its environment: itself, its children, and its groups. */
export class OwnThings {
  readonly #replica: Pick<Replica, 'state'>;
  readonly #jobs: Pick<JobStore, 'find'>;

  constructor(dependencies: { readonly replica: Pick<Replica, 'state'>; readonly jobs: Pick<JobStore, 'find'> }) {
    this.#replica = dependencies.replica;
    this.#jobs = dependencies.jobs;
  }

  /** Anyone but a job may name what they like. @throws Rejection `forbidden` */
  async check({ principal }: Identity, named: Named | null): Promise<void> {
    const { job } = principal;
    if (job === undefined) return;
    if (named === null || !(await this.#isOwn(job, named))) {
      throw new Rejection('forbidden', 'the token of a job is good for its own children and groups only');
    }
  }

  async #isOwn({ id: own }: JobAttempt, named: Named): Promise<boolean> {
    const { jobs, groups } = this.#replica.state;
    const made = (id: GroupId) => groups.get(id)?.createdBy === jobPrincipalId(own);
    switch (named.kind) {
      case 'new':
        return true;
      case 'job':
        return named.id === own || (await this.#jobs.find(named.id))?.plan.parent === own;
      case 'group':
        return made(named.id) || jobs.get(own)?.plan.group === named.id;
      // What the others of its group run, and with which environment, is not for it to know.
      case 'jobsOfGroup':
        return made(named.id);
      default:
        return unreachable(named);
    }
  }
}
