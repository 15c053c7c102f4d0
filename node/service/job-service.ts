import { isDeepStrictEqual } from 'node:util';
import { v7 as uuidv7 } from 'uuid';
import { toJobView } from '../../src/api/job-view.ts';
import { toExplanationView } from '../../src/api/explanation-view.ts';
import type { ExplanationView, JobView, Page } from '../../src/api/views.ts';
import type { Identity } from '../../src/auth.ts';
import { Rejection } from '../../src/errors.ts';
import { batchBase, type JobId } from '../../src/ids.ts';
import { type FinalState, isFinal } from '../../src/jobs/job.ts';
import { planOf } from '../../src/jobs/plan.ts';
import type { JobSpec } from '../../src/jobs/spec.ts';
import type { LoadOf } from '../../src/scheduling/measured-load.ts';
import { placeOne } from '../../src/scheduling/place.ts';
import type { Command, CommandResult, Placement } from '../../src/state/commands.ts';
import { idempotencyKey } from '../../src/state/idempotency.ts';
import { identify } from '../../src/state/permissions.ts';
import type { Consistency, ListQuery, SubmitItem, SubmitResult } from '../core.ts';
import type { Replica } from '../replica/replica.ts';
import type { HeapRoom } from './heap-room.ts';
import type { JobStore } from './job-store.ts';
import type { JobWatch } from './job-watch.ts';
import { expectTaken } from './results.ts';

/** Of submissions as JSON that are proposed together. */
const PROPOSAL_CHARACTERS = 1024 * 1024;

export interface JobServiceDependencies {
  readonly replica: Replica;
  readonly jobs: JobStore;
  readonly watch: JobWatch;
  readonly room: Pick<HeapRoom, 'expectRoom'>;
  /** Where machines are busier than the state says. */
  readonly loadOf: LoadOf;
}

type IdentifiedItem = SubmitItem & { readonly id: JobId };
type KnownEnd = { readonly job: JobId; readonly state: FinalState };

export class JobService {
  readonly #replica: Replica;
  readonly #jobs: JobStore;
  readonly #watch: JobWatch;
  /** Submissions that nobody has decided yet: apply knows those that come before, so they need not be looked for. */
  readonly #underWay = new Set<JobId>();
  readonly #room: JobServiceDependencies['room'];
  readonly #loadOf: LoadOf;

  constructor(dependencies: JobServiceDependencies) {
    this.#replica = dependencies.replica;
    this.#jobs = dependencies.jobs;
    this.#watch = dependencies.watch;
    this.#room = dependencies.room;
    this.#loadOf = dependencies.loadOf;
  }

  async submit(identity: Identity, given: readonly SubmitItem[]): Promise<readonly SubmitResult[]> {
    this.#room.expectRoom();
    const parent = identity.principal.job?.id;
    const items = given.map((item) => ({
      ...item,
      id: item.id ?? (uuidv7() as JobId),
      spec: parent === undefined ? item.spec : { parent, ...item.spec },
    }));
    for (const { id } of items) this.#underWay.add(id);
    try {
      const far = dependenciesOf(items).filter((id) => !this.#underWay.has(id) && !this.#replica.state.jobs.has(id));
      const results = await this.#submitOnce(identity, items, await this.#endsOf(far, parent));
      const late = results.some(isUnknownDependency) ? await this.#submitLate(identity, items, results) : results;
      return await Promise.all(late.map((result, i) => this.#checkRepeated(items[i] as IdentifiedItem, result)));
    } finally {
      for (const { id } of items) this.#underWay.delete(id);
    }
  }

  async batchBase({ principal }: Identity, key: string): Promise<JobId> {
    await this.#replica.barrier();
    const { state } = this.#replica;
    const asker = identify(state, principal, state.cluster?.clock ?? 0);
    const known = 'code' in asker ? undefined : state.idempotency.get(idempotencyKey(asker.id, key));
    return known !== undefined && 'batch' in known ? known.batch : batchBase(uuidv7() as JobId);
  }

  /** A line that was taken before under the key of its batch has to be the same as then. */
  async #checkRepeated(item: IdentifiedItem, result: SubmitResult): Promise<SubmitResult> {
    if (item.batch === undefined || !result.ok || !result.existed) return result;
    const job = await this.#jobs.find(result.id);
    const field = 'Idempotency-Key';
    if (job === null) {
      const message = `the job ${result.id}, which was made of this line under the key, has ended and is purged`;
      return { ok: false, code: 'gone', message, field };
    }
    // Under another id than it was to have, what it depends on was told by other ids too.
    if (result.id !== item.id || isDeepStrictEqual(job.spec, item.spec)) return result;
    const message = `line ${item.batch.line} was another job when the batch was sent under this key before`;
    return { ok: false, code: 'idempotencyConflict', message, field };
  }

  /**
   * A job may become final between the look at it and the entry that depends on it; then the database has its end. What
   * was refused had no effect, so that its id may be proposed again.
   */
  async #submitLate(
    identity: Identity,
    items: readonly IdentifiedItem[],
    results: readonly SubmitResult[],
  ): Promise<readonly SubmitResult[]> {
    const refused = items.filter((_, i) => isUnknownDependency(results[i]));
    const ends = await this.#endsOf(dependenciesOf(refused), identity.principal.job?.id);
    const coming = new Set<JobId>();
    const isKnown = (id: JobId) => ends.has(id) || coming.has(id) || this.#replica.state.jobs.has(id);
    for (const { id, spec } of refused) if (spec.dependsOn?.every(({ job }) => isKnown(job)) === true) coming.add(id);
    if (coming.size === 0) return results;
    const again = items.filter(({ id }) => coming.has(id));
    const further = new Map((await this.#submitOnce(identity, again, ends)).map((result, i) => [again[i]?.id, result]));
    return results.map((result, i) => further.get(items[i]?.id) ?? result);
  }

  /** @param ends of jobs that are final */
  async #submitOnce(
    identity: Identity,
    items: readonly IdentifiedItem[],
    ends: ReadonlyMap<JobId, KnownEnd>,
  ): Promise<readonly SubmitResult[]> {
    const commands = items.map((item): Command => {
      const outcomes = (item.spec.dependsOn ?? []).flatMap(({ job }) => ends.get(job) ?? []);
      return {
        kind: 'submit',
        ...item,
        placement: items.length === 1 ? this.#place(item.spec) : null,
        ...(outcomes.length === 0 ? {} : { outcomes }),
      };
    });
    const proposals = inProposals(commands).map((part) => this.#replica.propose(identity.principal, part));
    const results = (await Promise.all(proposals)).flat();
    return results.map((result, i) => submitResult(result, items[i]?.id as JobId));
  }

  /**
   * How those of these jobs ended that are final.
   * @param asks a job that asks with its own token, which sees itself and its children only
   */
  async #endsOf(jobs: readonly JobId[], asks: JobId | undefined): Promise<ReadonlyMap<JobId, KnownEnd>> {
    const ends = new Map<JobId, KnownEnd>();
    if (jobs.length === 0) return ends;
    await this.#replica.barrier();
    for (const id of new Set(jobs)) {
      const job = await this.#jobs.find(id);
      if (job === null || !isFinal(job)) continue;
      if (asks === undefined || job.plan.parent === asks) ends.set(id, { job: id, state: job.state });
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
  #place(spec: JobSpec): Placement | null {
    return placeOne(this.#replica.state, planOf(spec), Math.random, this.#loadOf);
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

function dependenciesOf(items: readonly SubmitItem[]): readonly JobId[] {
  return items.flatMap(({ spec }) => spec.dependsOn ?? []).map(({ job }) => job);
}

function isUnknownDependency(result: SubmitResult | undefined): boolean {
  return result?.ok === false && result.code === 'unknownDependency';
}

function submitResult(result: CommandResult, id: JobId): SubmitResult {
  return result.ok ? { ok: true, id: result.job ?? id, existed: result.existed ?? false } : result;
}
