import type { Principal } from '../../src/auth.ts';
import { isFinal } from '../../src/jobs/job.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import type { JobId } from '../../src/ids.ts';
import type { CommandResult } from '../../src/state/commands.ts';
import { idempotencyKey } from '../../src/state/idempotency.ts';
import type { Replica } from '../../node/replica/replica.ts';
import { call, type Outcome } from './caller.ts';
import type { Chance } from './chance.ts';
import type { Machine } from './machine.ts';
import type { Answer, Operation, Question } from './history.ts';
import type { Simulation } from './simulation.ts';
import { ensure } from './violation.ts';

export const LOCAL: Principal = { id: 'local', token: null, kind: 'local' };

/** Nothing was proposed, for certain. */
const NOT_TAKEN: ReadonlySet<string> = new Set(['overloaded', 'tooLarge']);
/** Begins the names, among us, of submissions without a key; the rest is the job's id. */
export const KEYLESS = 'job:';
const PROJECTS = ['red', 'green'] as const;

/** Submits, cancels and reads at any node, one operation after another; repeats what it has no answer to. */
export class Client {
  readonly #number: number;
  readonly #simulation: Simulation;
  readonly #chance: Chance;
  #submissions = 0;

  constructor(number: number, simulation: Simulation, chance: Chance) {
    this.#number = number;
    this.#simulation = simulation;
    this.#chance = chance;
  }

  async run(): Promise<void> {
    const { loop, profile } = this.#simulation;
    while (this.#simulation.phase === 'storm') {
      await loop.sleep(this.#chance.exponential(profile.thinkMs));
      await this.#act();
    }
  }

  #act(): Promise<unknown> {
    const roll = this.#chance.float();
    const known = this.#simulation.submissions;
    if (roll < 0.5 || known.length === 0) return this.#submit();
    const recent = known[known.length - 1 - this.#chance.below(Math.min(known.length, 12))];
    if (recent === undefined) return this.#submit();
    if (roll < 0.6) return this.#cancel(recent.key, recent.job);
    return this.#read(recent.key);
  }

  /** Again under the same key until it has an answer, or loses patience with it. */
  async #submit(): Promise<void> {
    this.#submissions += 1;
    if (this.#chance.happens(0.25)) {
      await this.#submitOnce();
      return;
    }
    const shared = this.#chance.happens(0.1);
    const key = shared ? `shared-${Math.floor(this.#submissions / 3)}` : `${this.#number}-${this.#submissions}`;
    for (let tries = 0; tries < 4; tries += 1) {
      const answer = await this.#trySubmit(this.#simulation.newJobId(), key);
      if (answer !== null || this.#chance.happens(0.2)) return;
    }
  }

  /** Without an idempotency key: only its proposer may repeat it. */
  async #submitOnce(): Promise<void> {
    const job = this.#simulation.newJobId();
    await this.#trySubmit(job, KEYLESS + job);
  }

  #trySubmit(job: JobId, key: string): Promise<Answer | null> {
    this.#simulation.submissions.push({ key, job });
    const spec = {
      command: ['work', 'x'.repeat(this.#chance.below(120))],
      project: this.#chance.pick(PROJECTS),
      priority: this.#chance.pick([10, 50, 90]),
      resources: { cpu: 1 },
    };
    const idempotency = key.startsWith(KEYLESS) ? null : { key, bodyHash: key };
    return this.#ask({ kind: 'submit', key, job }, async (replica) => {
      const command = { kind: 'submit', id: job, spec, placement: null, idempotency } as const;
      return answerOf(await replica.propose(LOCAL, [command]), (result) => ({
        kind: 'submitted',
        job: result.job as JobId,
      }));
    });
  }

  #cancel(key: string, job: JobId): Promise<Answer | null> {
    return this.#ask({ kind: 'cancel', key, job }, async (replica) =>
      answerOf(await replica.propose(LOCAL, [{ kind: 'cancel', job, mode: 'any' }]), () => ({ kind: 'cancelled' })),
    );
  }

  async #read(key: string): Promise<void> {
    const read = readFrom(this.#simulation);
    await this.#ask({ kind: 'read', key }, async (replica) => {
      await read(replica);
      return found(replica, key);
    });
  }

  async #ask(question: Question, carryOut: (replica: Replica) => Promise<Answer>): Promise<Answer | null> {
    const { loop, history, trace } = this.#simulation;
    const machine = this.#simulation.anyMachine(this.#chance);
    const operation = history.begin(this.#number, question, loop.now);
    const outcome = await call({ loop, chance: this.#chance }, machine, carryOut);
    const answer = this.#take(operation, outcome);
    trace.note(`client ${this.#number} at ${machine.id}: ${JSON.stringify(question)} → ${JSON.stringify(answer)}`);
    return answer;
  }

  #take(operation: Operation, outcome: Outcome<Answer>): Answer | null {
    const { history, loop, tally } = this.#simulation;
    const answer =
      outcome.kind === 'answered' ? outcome.value : outcome.kind === 'failed' ? refusal(outcome.error) : null;
    if (answer === null) {
      tally.add('operations of unknown outcome');
      return null;
    }
    if (operation.question.kind === 'read' && answer.kind === 'refused') return null;
    history.end(operation, answer, loop.now);
    if (answer.kind === 'submitted') this.#checkSubmitted(operation.question.key, answer.job);
    return answer;
  }

  #checkSubmitted(key: string, job: JobId): void {
    const { reference } = this.#simulation.invariants;
    const known = reference.jobOf(key);
    ensure(known === job, 'acknowledged is committed', () => `${key} was answered with ${job}, not committed so`);
    this.#simulation.acknowledged.set(key, job);
  }
}

/** A linearizable read sees at least what was committed anywhere when it began: now. */
function readFrom(simulation: Simulation): (replica: Replica) => Promise<void> {
  const committed = simulation.invariants.reference.last;
  return async (replica) => {
    await replica.barrier();
    const { applied } = replica.applier;
    if (applied >= committed) return;
    simulation.violate('linearizable reads', `read at ${applied}, ${committed} was committed before`);
  };
}

/** Reads at a machine, for the sake of what must hold of reads. */
export async function readAt(simulation: Simulation, machine: Machine, chance: Chance): Promise<void> {
  await call({ loop: simulation.loop, chance }, machine, readFrom(simulation));
}

async function found(replica: Replica, key: string): Promise<Answer> {
  const made = replica.state.idempotency.get(idempotencyKey(LOCAL.id, key));
  const keyed = made !== undefined && 'job' in made ? made.job : null;
  const job = key.startsWith(KEYLESS) ? (key.slice(KEYLESS.length) as JobId) : keyed;
  if (job === null) return { kind: 'found', job, state: null };
  const record = replica.state.jobs.get(job) ?? (await replica.applier.read((store) => store.get('job', job)));
  if (record === null)
    return keyed === null ? { kind: 'found', job: null, state: null } : { kind: 'found', job, state: 'absent' };
  return { kind: 'found', job, state: isFinal(record) ? record.state : 'live' };
}

function answerOf(
  results: readonly CommandResult[],
  taken: (result: Extract<CommandResult, { ok: true }>) => Answer,
): Answer {
  const [result] = results;
  if (result === undefined) throw new Error('a proposal has no result');
  return result.ok ? taken(result) : { kind: 'refused', code: result.code };
}

function refusal(error: unknown): Answer | null {
  if (!(error instanceof Fault || error instanceof Rejection) || !NOT_TAKEN.has(error.code)) return null;
  return { kind: 'refused', code: error.code };
}
