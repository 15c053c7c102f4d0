import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobView } from '../../src/api/views.ts';
import type { NodeApi } from '../support/node-api.ts';

/** How fast `xargs -P2 -n1 /bin/true` goes through `count` lines: what a user has without any queue. */
export async function xargsPerSecond(count: number): Promise<number> {
  const began = performance.now();
  const child = spawn('xargs', ['-P2', '-n1', '/bin/true'], { stdio: ['pipe', 'inherit', 'inherit'] });
  child.stdin.end('x\n'.repeat(count));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`xargs ended with ${code}`);
  return (count / (performance.now() - began)) * 1000;
}

/** From the first submission to the last end. */
export async function jobsPerSecond(api: NodeApi, count: number, spec: object, name: string): Promise<number> {
  await runJobs(api, count, spec, name);
  return rateOfJobs(api, count, name);
}

/** Submits them in one batch and waits until all are final, by looking so seldom that it costs next to nothing. */
export async function runJobs(api: NodeApi, count: number, spec: object, name: string): Promise<void> {
  const lines = await api.submitBatch(Array.from({ length: count }, () => ({ ...spec, name })));
  if (lines.some((line) => 'error' in line)) throw new Error('a line of the batch was refused');
  for (const state of ['queued', 'assigned', 'running']) {
    while ((await api.jobs(`state=${state}&limit=1&consistency=stale&name=${name}`)).items.length > 0) await sleep(100);
  }
}

/** By the cluster's own times, so that it may be asked afterwards. */
export async function rateOfJobs(api: NodeApi, count: number, name: string): Promise<number> {
  const jobs = await allJobs(api, name);
  if (jobs.length !== count || jobs.some((job) => job.state !== 'succeeded')) throw new Error('not all jobs succeeded');
  const first = Math.min(...jobs.map((job) => Date.parse(job.submittedAt)));
  const last = Math.max(...jobs.map((job) => Date.parse(job.finalAt ?? '')));
  return (count / (last - first)) * 1000;
}

async function allJobs(api: NodeApi, name: string): Promise<readonly JobView[]> {
  const jobs: JobView[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await api.jobs(
      `name=${name}&limit=1000${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    jobs.push(...page.items);
    cursor = page.nextCursor;
  }
  return jobs;
}
