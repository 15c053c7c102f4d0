import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobView } from '../../src/api/views.ts';
import { TestCluster } from '../support/cluster.ts';

/**
 * Real input: each unit-test file of this project becomes one job, posted as one batch to a follower of a cluster of
 * three; then every result and every log is read at the third node.
 */

const ROOT = join(import.meta.dirname, '../..');

async function testFiles(): Promise<readonly string[]> {
  return (await Array.fromAsync(glob('test/{raft,src,node,tooling}/**/*.test.ts', { cwd: ROOT }))).toSorted();
}

function specOf(file: string): object {
  return {
    command: ['sh', '-c', 'cd "$ROOT" && PATH="$ROOT/node_modules/.bin:$PATH" exec vitest run --project unit "$FILE"'],
    name: file,
    env: { ROOT, FILE: file, NO_COLOR: '1' },
    timeout: '10m',
  };
}

function lineOf(file: string, job: JobView, log: string, nodeNames: ReadonlyMap<string, string>): string {
  const attempt = job.attempts.at(-1);
  const ms = Date.parse(attempt?.endedAt ?? '') - Date.parse(attempt?.startedAt ?? '');
  const tests = /Tests\s+(.*)/.exec(log)?.[1]?.trim() ?? 'no summary in the log';
  const where = nodeNames.get(attempt?.runner ?? '') ?? '?';
  return `${job.state.padEnd(10)} ${where} ${(ms / 1000).toFixed(1).padStart(6)} s ${String(log.length).padStart(7)} bytes  ${file}  ${tests}`;
}

const cluster = await TestCluster.start({ size: 3 });
try {
  const [follower, third] = await cluster.followers();
  if (follower === undefined || third === undefined) throw new Error('a cluster of three has two followers');
  const nodeNames = new Map<string, string>();
  for (const node of cluster.nodes) nodeNames.set((await node.requireFile()).nodeId, node.name);

  const files = await testFiles();
  const answers = await follower.api.submitBatch(files.map(specOf));
  console.log(`${files.length} test files posted to ${follower.name}; read at ${third.name}:\n`);

  let failed = 0;
  for (const [index, answer] of answers.entries()) {
    const file = files[index] ?? '';
    if ('error' in answer) throw new Error(`${file}: ${JSON.stringify(answer.error)}`);
    const job = await third.api.waitFinal(answer.id, 1_200_000);
    const log = await third.api.logs(answer.id);
    if (job.state !== 'succeeded' || log === '') failed += 1;
    console.log(lineOf(file, job, log, nodeNames));
    if (job.state !== 'succeeded') console.log(log.split('\n').slice(-30).join('\n'));
  }
  console.log(`\n${answers.length} jobs ended, ${failed} of them without success`);
  process.exitCode = failed === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${cluster.logTails()}\n`);
  throw error;
} finally {
  await cluster.close();
}
