import type { JobView } from '../../src/api/views.ts';
import type { QuorateClient } from '../../src/client/client.ts';
import { formatCount } from './format.ts';
import { describeEnd } from './job-exit.ts';
import type { Output } from './output.ts';
import { plain } from './plain-text.ts';
import { startProgress } from './progress.ts';

/** Long polls under way at once. */
const POLLS = 16;
const TOLD_FAILURES = 20;

/** Waits until every job has ended; whether all succeeded. Tells the first that did not. */
export async function waitForAll(
  client: QuorateClient,
  ids: readonly string[],
  { stderr }: { readonly stderr: Output },
): Promise<boolean> {
  if (ids.length === 0) return true;
  const progress = await startProgress(stderr, 'ended', ids.length);
  let failures = 0;

  async function ended(job: JobView): Promise<void> {
    progress.advance(1);
    if (job.state === 'succeeded') return;
    failures += 1;
    if (failures <= TOLD_FAILURES) await stderr.line(`quorate: job ${job.id} ${plain(describeEnd(job))}`);
  }

  const remaining = ids.values();
  async function poll(): Promise<void> {
    for (const id of remaining) await ended(await client.jobs.wait(id));
  }

  try {
    await Promise.all(Array.from({ length: Math.min(POLLS, ids.length) }, poll));
  } finally {
    progress.stop();
  }
  if (failures > 0) await stderr.line(`quorate: ${failures} of ${formatCount(ids.length, 'job')} did not succeed`);
  return failures === 0;
}
