import { setTimeout as sleep } from 'node:timers/promises';
import type { JobView, Problem } from '../../../src/api/views.ts';
import { seeded } from '../../raft/support/seeded.ts';
import type { HttpAnswer } from '../http-client.ts';
import type { Operation } from '../linearizability/history.ts';
import type { NodeApi } from '../node-api.ts';
import type { JobInput, JobOutput } from './job-model.ts';

/** A node, as clients know it. */
export interface Server {
  readonly name: string;
  readonly api: NodeApi;
}

/** An acknowledged change. Times are of `performance.now()`. */
export interface Ack {
  readonly server: string;
  readonly begunAt: number;
  readonly at: number;
}

type JobOperation = Operation<JobInput, JobOutput>;

/** A key that several clients use at once for a while: short enough to be judged in no time. */
interface Story {
  readonly key: string;
  id: string | null;
  left: number;
}

type Result =
  | { readonly kind: 'told'; readonly output: JobOutput }
  /** It was never sent, or it changes nothing. */
  | { readonly kind: 'void' }
  | { readonly kind: 'unknown' };

const CLIENTS_PER_SERVER = 3;
const STORIES = 6;
const OPERATIONS_PER_STORY = 14;
const PAUSE_MS = 25;
const PAUSE_AFTER_FAILURE_MS = 50;
const TIMEOUT_MS = 4_000;
const NOT_SENT = 502;

/** Of the operations: a job that runs, beside the history. */
const RUN_SHARE = 0.03;

/** A job that stays as it is until somebody cancels it. */
const WAITING = { command: ['true'], notBefore: '2099-01-01T00:00:00Z' };
const RUNNING = { command: ['true'], resources: { cpu: 0.1 } };

/** Clients at every node that submit, read and cancel the same jobs, and note what they were told. */
export class JobLoad {
  readonly history: JobOperation[] = [];
  readonly acks: Ack[] = [];
  /** How often each code was told in place of an answer. */
  readonly failures = new Map<string, number>();
  /** Answers that no fault excuses. */
  readonly wrong: string[] = [];
  readonly ids = new Map<string, string>();
  /** Acknowledged jobs that run. */
  readonly runs: string[] = [];
  readonly #name: string;
  readonly #random: () => number;
  readonly #stories: Story[] = [];
  readonly #running: Promise<void>[] = [];
  #told = 0;
  #stopped = false;

  constructor(name: string, seed: number) {
    this.#name = name;
    this.#random = seeded(seed);
    for (let index = 0; index < STORIES; index += 1) this.#stories.push(this.#newStory());
  }

  /** Sends clients to one more node. */
  use(server: Server): void {
    for (let index = 0; index < CLIENTS_PER_SERVER; index += 1) {
      this.#running.push(this.#client(server, `${server.name}/${index + 1}`));
    }
  }

  /** The first change that was begun after `time` and acknowledged, at one node or at any. */
  firstAckSince(time: number, server?: string): Ack | null {
    const since = this.acks.filter((ack) => ack.begunAt >= time && (server === undefined || ack.server === server));
    return since.toSorted((a, b) => a.at - b.at)[0] ?? null;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /** Everything that was acknowledged, as each node has it in the end; part of the history. */
  async readAll(server: Server): Promise<void> {
    const left = [...this.ids];
    const reader = async (): Promise<void> => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        const [key, id] = next;
        const done = await this.#perform(server, `${server.name}/end`, { kind: 'get', key, id });
        if (!done) throw new Error(`${server.name} does not answer at the end: ${JSON.stringify([...this.failures])}`);
      }
    };
    await Promise.all(Array.from({ length: 8 }, reader));
  }

  /** Every acknowledged job that runs, once it is final. */
  async waitForRuns({ api }: Server): Promise<readonly JobView[]> {
    return await Promise.all(this.runs.map((id) => api.waitFinal(id)));
  }

  async #client(server: Server, client: string): Promise<void> {
    while (!this.#stopped) {
      if (this.#random() < RUN_SHARE) await this.#submitRun(server);
      const done = await this.#perform(server, client, this.#nextInput());
      await sleep(done ? this.#random() * 2 * PAUSE_MS : PAUSE_AFTER_FAILURE_MS);
    }
  }

  #newStory(): Story {
    this.#told += 1;
    return { key: `${this.#name}-${this.#told}`, id: null, left: OPERATIONS_PER_STORY };
  }

  #nextInput(): JobInput {
    const place = Math.floor(this.#random() * STORIES);
    const story = this.#stories[place] as Story;
    story.left -= 1;
    if (story.left === 0) this.#stories[place] = this.#newStory();
    const { key } = story;
    const id = this.ids.get(key);
    const draw = this.#random();
    if (id === undefined || draw < 0.25) return { kind: 'submit', key };
    return draw < 0.35 ? { kind: 'cancel', key, id } : { kind: 'get', key, id };
  }

  /** @returns whether it was answered */
  async #perform(server: Server, client: string, input: JobInput): Promise<boolean> {
    const call = performance.now();
    const result = await this.#try(server, input);
    const at = performance.now();
    switch (result.kind) {
      case 'told':
        this.history.push({ client, call, return: at, input, output: result.output });
        if (input.kind !== 'get') this.acks.push({ server: server.name, begunAt: call, at });
        if ('id' in result.output) this.ids.set(input.key, result.output.id);
        return true;
      case 'unknown':
        this.history.push({ client, call, return: null, input });
        return false;
      case 'void':
        return false;
    }
  }

  async #submitRun({ api }: Server): Promise<void> {
    try {
      const answer = await api.http.post('/v1/jobs', RUNNING, { timeoutMs: TIMEOUT_MS });
      if (answer.status === 201) this.runs.push(answer.json<JobView>().id);
    } catch {
      this.#count('no answer');
    }
  }

  async #try({ api }: Server, input: JobInput): Promise<Result> {
    let answer: HttpAnswer;
    try {
      answer = await send(api, input);
    } catch {
      this.#count('no answer');
      return input.kind === 'get' ? { kind: 'void' } : { kind: 'unknown' };
    }
    const output = outputOf(input, answer);
    if (output !== null) return { kind: 'told', output };
    if (answer.status === NOT_SENT) {
      this.#count('not sent');
      return { kind: 'void' };
    }
    const { code } = answer.json<Problem>();
    this.#count(code);
    if (answer.status !== 503) this.wrong.push(`${input.kind}: ${answer.status} ${answer.text}`);
    return input.kind === 'get' ? { kind: 'void' } : { kind: 'unknown' };
  }

  #count(code: string): void {
    this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
  }
}

function send({ http }: NodeApi, input: JobInput): Promise<HttpAnswer> {
  switch (input.kind) {
    case 'submit':
      return http.post('/v1/jobs', WAITING, { headers: { 'idempotency-key': input.key }, timeoutMs: TIMEOUT_MS });
    case 'get':
      return http.get(`/v1/jobs/${input.id}`, { timeoutMs: TIMEOUT_MS });
    case 'cancel':
      return http.post(`/v1/jobs/${input.id}/cancel`, {}, { timeoutMs: TIMEOUT_MS });
  }
}

function outputOf(input: JobInput, answer: HttpAnswer): JobOutput | null {
  const { status } = answer;
  if (status === 404) return { kind: 'notFound' };
  if (status === 409 && answer.json<Problem>().code === 'alreadyFinal') return { kind: 'alreadyFinal' };
  if (status !== 200 && status !== 201) return null;
  const { id, state } = answer.json<JobView>();
  switch (input.kind) {
    case 'submit':
      return { kind: status === 201 ? 'created' : 'existed', id };
    case 'get':
      return { kind: 'found', state };
    case 'cancel':
      return { kind: 'cancelled' };
  }
}
