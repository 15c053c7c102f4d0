import { v7 as uuidv7 } from 'uuid';
import { toJobView } from '../../src/api/job-view.ts';
import { toExplanationView } from '../../src/api/explanation-view.ts';
import type { ExplanationView, JobView, Page } from '../../src/api/views.ts';
import type { Identity } from '../../src/auth.ts';
import { Rejection } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import { type FinalState, isFinal } from '../../src/jobs/job.ts';
import { planOf } from '../../src/jobs/plan.ts';
import { placeOne } from '../../src/scheduling/place.ts';
import type { Command, CommandResult, Placement } from '../../src/state/commands.ts';
import type { Consistency, ListQuery, SubmitItem, SubmitResult } from '../core.ts';
import type { Replica } from '../replica/replica.ts';
import type { JobStore } from './job-store.ts';
import type { JobWatch } from './job-watch.ts';
import { expectTaken } from './results.ts';

/** Of submissions as JSON that are proposed together. */
const PROPOSAL_CHARACTERS = 1024 * 1024;

export interface JobServiceDependencies {
  readonly replica: Replica;
  readonly jobs: JobStore;
  readonly watch: JobWatch;
}

export class JobService {
  readonly #replica: Replica;
  readonly #jobs: JobStore;
  readonly #watch: JobWatch;

  constructor(dependencies: JobServiceDependencies) {
    this.#replica = dependencies.replica;
    this.#jobs = dependencies.jobs;
    this.#watch = dependencies.watch;
  }

  async submit(identity: Identity, items: readonly SubmitItem[]): Promise<readonly SubmitResult[]> {
    const results = await this.#submitOnce(identity, items);
    // A job may become final between the look at it and the entry that depends on it; then the database has its end.
    const again = items.filter((_, i) => isUnknownDependency(results[i]));
    if (again.length === 0) return results;
    const further = (await this.#submitOnce(identity, again)).values();
    return results.map((result) => (isUnknownDependency(result) ? (further.next().value ?? result) : result));
  }

  async #submitOnce(identity: Identity, given: readonly SubmitItem[]): Promise<readonly SubmitResult[]> {
    const parent = identity.principal.job?.id;
    const items = parent === undefined ? given : given.map((item) => ({ ...item, spec: { parent, ...item.spec } }));
    const ends = await this.#endsOf(items.flatMap(({ spec }) => spec.dependsOn ?? []).map(({ job }) => job));
    const ids: JobId[] = [];
    const commands: Command[] = [];
    for (const item of items) {
      const id = uuidv7() as JobId;
      ids.push(id);
      const outcomes = (item.spec.dependsOn ?? []).flatMap(({ job }) => ends.get(job) ?? []);
      commands.push({
        kind: 'submit',
        id,
        spec: item.spec,
        placement: items.length === 1 ? this.#place(item) : null,
        idempotency: item.idempotency,
        ...(outcomes.length === 0 ? {} : { outcomes }),
      });
    }
    const proposals = inProposals(commands).map((part) => this.#replica.propose(identity.principal, part));
    const results = (await Promise.all(proposals)).flat();
    return results.map((result, i) => submitResult(result, ids[i] as JobId));
  }

  /** How those of these jobs ended that are final. */
  async #endsOf(
    jobs: readonly JobId[],
  ): Promise<ReadonlyMap<JobId, { readonly job: JobId; readonly state: FinalState }>> {
    const ends = new Map<JobId, { readonly job: JobId; readonly state: FinalState }>();
    if (jobs.length === 0) return ends;
    await this.#replica.barrier();
    for (const id of new Set(jobs)) {
      const job = await this.#jobs.find(id);
      if (job !== null && isFinal(job)) ends.set(id, { job: id, state: job.state });
    }
    return ends;
  }

  async explain(id: JobId, consistency: Consistency): Promise<ExplanationView> {
    await this.#settle(consistency);
    const explanation = toExplanationView(this.#replica.state, await this.#jobs.get(id));
    // It became final while the database was read.
    return explanation ?? this.explain(id, consistency);
  }

  async get(id: JobId, consistency: Consistency): Promise<JobView> {
    await this.#settle(consistency);
    return toJobView(await this.#jobs.get(id));
  }

  async list(query: ListQuery, consistency: Consistency): Promise<Page<JobView>> {
    await this.#settle(consistency);
    const { jobs, nextCursor } = await this.#jobs.list(query);
    return { items: jobs.map(toJobView), nextCursor };
  }

  async wait(id: JobId, timeoutMs: number, signal: AbortSignal): Promise<JobView> {
    const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    await this.#replica.barrier();
    const final = await this.#watch.until(id, over, async (changed) => {
      const job = changed ?? (await this.#jobs.get(id));
      return isFinal(job) ? job : undefined;
    });
    return toJobView(final ?? (await this.#jobs.get(id)));
  }

  async cancel(identity: Identity, id: JobId, mode: 'any' | 'queued'): Promise<JobView> {
    await this.#replica.barrier();
    const job = await this.#jobs.get(id);
    const hasChildren = mode === 'any' && this.#replica.state.relations.childrenOf(id).size > 0;
    if (isFinal(job) && !hasChildren) throw new Rejection('alreadyFinal', `the job is ${job.state} already`);
    expectTaken(await this.#replica.propose(identity.principal, [{ kind: 'cancel', job: id, mode }]));
    return toJobView(await this.#jobs.get(id));
  }

  async retry(identity: Identity, id: JobId): Promise<JobView> {
    await this.#replica.barrier();
    const job = await this.#jobs.get(id);
    if (!isFinal(job)) throw new Rejection('wrongState', `the job is ${job.state}: only a final one is tried again`);
    expectTaken(await this.#replica.propose(identity.principal, [{ kind: 'retry', job: id, record: job }]));
    return toJobView(await this.#jobs.get(id));
  }

  async #settle(consistency: Consistency): Promise<void> {
    if (consistency === 'linearizable') await this.#replica.barrier();
  }

  /** The fast path: a guess from this node's state, which apply takes or leaves. */
  #place(item: SubmitItem): Placement | null {
    return placeOne(this.#replica.state, planOf(item.spec), Math.random);
  }
}

/** Large jobs go in several proposals: what one entry holds has to be sent as a whole. */
function inProposals(commands: readonly Command[]): readonly (readonly Command[])[] {
  if (commands.length === 1) return [commands];
  const parts: Command[][] = [];
  let room = 0;
  for (const command of commands) {
    const characters = JSON.stringify(command).length;
    const last = parts.at(-1);
    if (last === undefined || characters > room) {
      parts.push([command]);
      room = PROPOSAL_CHARACTERS - characters;
    } else {
      last.push(command);
      room -= characters;
    }
  }
  return parts;
}

function isUnknownDependency(result: SubmitResult | undefined): boolean {
  return result?.ok === false && result.code === 'unknownDependency';
}

function submitResult(result: CommandResult, id: JobId): SubmitResult {
  return result.ok ? { ok: true, id: result.job ?? id, existed: result.existed ?? false } : result;
}
