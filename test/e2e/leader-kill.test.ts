import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { JobView } from '../../src/api/views.ts';
import type { TestCluster } from '../support/cluster.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const JOBS = 2_000;
const SUBMITTERS = 16;

/** Jobs may be submitted up to `allowed`; the kills happen between, with more waiting, so that each hits a busy leader. */
const PHASES = [
  { killAfter: 400, allowed: 900 },
  { killAfter: 1_200, allowed: 1_700 },
] as const;

describe('killing the leader', () => {
  const cluster = useCluster({ size: 3 });

  it('loses no acknowledged job and counts none twice while the leader is killed and restarted twice', async () => {
    const effects = join(cluster().folder, 'effects');
    const load = new Load(cluster(), effects);
    load.allowed = PHASES[0].allowed;
    const submitting = load.run();

    for (const [index, { killAfter }] of PHASES.entries()) {
      await waitUntil(`${killAfter} acknowledged jobs`, () => (load.acknowledged.size >= killAfter ? true : null));
      const leader = await cluster().leader();
      const killedAt = performance.now();
      await leader.killNode();
      const recoveredAt = await waitUntil('a submission after the kill', () => load.firstAckOfOneBegunAfter(killedAt), {
        everyMs: 2,
      });
      console.log(
        `leader kill ${index + 1}: next acknowledged submission after ${Math.round(recoveredAt - killedAt)} ms`,
      );
      await cluster().restart(leader);
      load.allowed = PHASES[index + 1]?.allowed ?? JOBS;
    }
    await submitting;

    const jobs = await finalJobs(cluster(), load);
    expect(load.acknowledged.size).toBe(JOBS);
    expect(new Set(load.acknowledged.values()).size).toBe(JOBS);
    expect(jobs.filter((job) => job.state !== 'succeeded')).toEqual([]);
    expect(jobs.filter((job) => countedAttempts(job) !== 1)).toEqual([]);
    expectEffects(jobs, (await readFile(effects, 'utf8')).trimEnd().split('\n'));
  }, 600_000);
});

/** Posts each job under a key of its own to the nodes in turn until one of them acknowledges it. */
class Load {
  /** Key to job id. */
  readonly acknowledged = new Map<string, string>();
  allowed = 0;
  readonly #cluster: TestCluster;
  readonly #effects: string;
  readonly #acks: { readonly begunAt: number; readonly at: number }[] = [];
  #next = 0;

  constructor(cluster: TestCluster, effects: string) {
    this.#cluster = cluster;
    this.#effects = effects;
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: SUBMITTERS }, () => this.#submitter()));
  }

  /** When the first submission that began after `time` was acknowledged; null while none was. */
  firstAckOfOneBegunAfter(time: number): number | null {
    const after = this.#acks.filter((ack) => ack.begunAt >= time).map((ack) => ack.at);
    return after.length === 0 ? null : Math.min(...after);
  }

  async #submitter(): Promise<void> {
    while (this.#next < JOBS) {
      if (this.#next >= this.allowed) {
        await sleep(10);
        continue;
      }
      const index = this.#next;
      this.#next += 1;
      await this.#submit(index);
    }
  }

  async #submit(index: number): Promise<void> {
    const key = `job-${index}`;
    const spec = {
      command: ['sh', '-c', 'echo "$QUORATE_JOB_ID $QUORATE_ATTEMPT" >> "$EFFECTS"'],
      env: { EFFECTS: this.#effects },
    };
    for (let attempt = 0; ; attempt += 1) {
      const begunAt = performance.now();
      const id = await this.#try(this.#cluster.node((index + attempt) % 3), key, spec);
      if (id !== null) {
        this.#acks.push({ begunAt, at: performance.now() });
        this.acknowledged.set(key, id);
        return;
      }
      await sleep(20);
    }
  }

  async #try(node: TestCluster['nodes'][number], key: string, spec: object): Promise<string | null> {
    let answer;
    try {
      answer = await node.api.http.post('/v1/jobs', spec, { headers: { 'idempotency-key': key }, timeoutMs: 10_000 });
    } catch {
      return null;
    }
    if (answer.status === 200 || answer.status === 201) return answer.json<JobView>().id;
    if (answer.status >= 500 || answer.status === 429) return null;
    throw new Error(`a good submission was refused: ${answer.status} ${answer.text}`);
  }
}

async function finalJobs(cluster: TestCluster, load: Load): Promise<readonly JobView[]> {
  const ids = [...load.acknowledged.values()];
  const jobs: JobView[] = [];
  const reader = async (): Promise<void> => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
      jobs.push(await cluster.node(jobs.length % 3).api.waitFinal(id, 240_000));
    }
  };
  await Promise.all(Array.from({ length: 8 }, reader));
  return jobs;
}

/** Lost attempts do not count: their results, should any come, are refused. */
function countedAttempts(job: JobView): number {
  return job.attempts.filter((attempt) => attempt.state !== 'lost').length;
}

function expectEffects(jobs: readonly JobView[], lines: readonly string[]): void {
  const done = new Set(lines);
  expect(lines.length, 'an attempt ran twice').toBe(done.size);

  const counted = jobs.map(
    (job) => `${job.id} ${job.attempts.find((attempt) => attempt.state === 'succeeded')?.attempt}`,
  );
  expect(counted.filter((line) => !done.has(line))).toEqual([]);

  const known = new Set(jobs.flatMap((job) => job.attempts.map(({ attempt }) => `${job.id} ${attempt}`)));
  expect(lines.filter((line) => !known.has(line))).toEqual([]);
  console.log(`${jobs.length} jobs, ${lines.length} attempts with an effect, ${known.size} attempts known`);
}
