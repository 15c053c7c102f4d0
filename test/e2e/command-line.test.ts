import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../node/cli/top/snapshot.ts';
import type { JobView } from '../../src/api/views.ts';
import { runQuorate, type CommandResult } from '../support/command-line.ts';
import { cleanEnvironment, QUORATE } from '../support/node-process.ts';
import { useCluster } from '../support/use-cluster.ts';

describe('the command line', () => {
  const cluster = useCluster({ size: 1 });

  async function quorate(args: readonly string[], stdin = ''): Promise<CommandResult> {
    const { http } = await cluster().node(0).requireFile();
    const env = { QUORATE_URL: `http://${http}`, QUORATE_TOKEN: await cluster().adminToken() };
    return runQuorate(args, { env, stdin });
  }

  it('passes the output and the exit code of a job on', async () => {
    const result = await quorate(['run', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(result).toMatchObject({ code: 3, stdout: 'out\n' });
    expect(result.stderr).toContain('err');
  });

  it('submits, waits, lists, and shows the log', async () => {
    const { stdout } = await quorate(['submit', '--json', '--name', 'greeting', '--', 'echo', 'hello']);
    const { id } = JSON.parse(stdout) as JobView;
    expect((await quorate(['wait', id])).code).toBe(0);
    expect((await quorate(['logs', id])).stdout).toBe('hello\n');
    expect((await quorate(['jobs'])).stdout).toContain(id);
    expect((await quorate(['status', id])).stdout).toContain('succeeded');
  });

  it('sends a batch from a file', async () => {
    const file = join(cluster().folder, 'jobs.ndjson');
    await writeFile(file, Array.from({ length: 20 }, () => '{"command":["true"]}\n').join(''));
    expect((await quorate(['batch', file])).code).toBe(0);
  });

  it('makes a token to join with', async () => {
    expect((await quorate(['token', 'create', '--join'])).stdout).toMatch(/qj1_/);
  });

  it('ends with 1 when the job it waited for failed', async () => {
    const { id } = await cluster()
      .node(0)
      .api.submit({ command: ['false'] });
    expect((await quorate(['wait', id])).code).toBe(1);
  });

  it.each([
    ['2 for wrong usage', ['submit', '--no-such-flag'], 2],
    ['3 when no node is reachable', ['jobs', '--url', 'http://127.0.0.1:1'], 3],
    ['4 for a refusal', ['status', '018f0000-0000-7000-8000-000000000000'], 4],
  ])('ends with %s', async (_what, args, code) => {
    expect((await quorate(args)).code).toBe(code);
  });

  it('shows the whole cluster, and how many jobs a second it does', async () => {
    const file = join(cluster().folder, 'more.ndjson');
    await writeFile(file, '{"command":["true"]}\n{"command":["false"]}\n'.repeat(5));
    const before = await quorate(['top', '--once', '--json']);
    expect((await quorate(['batch', '--wait', file])).code).toBe(1);
    const after = await quorate(['top', '--once', '--json']);
    const [first, last] = [before, after].map(({ stdout }) => JSON.parse(stdout) as Snapshot);
    const { ended: already, ...totals } = first!.stats.totals;
    expect(last?.stats.totals).toEqual({
      submitted: totals.submitted + 10,
      started: totals.started + 10,
      ended: { ...already, succeeded: already.succeeded + 5, failed: already.failed + 5 },
    });
    expect(last?.cluster?.members).toHaveLength(1);
    expect(last?.runners).toHaveLength(1);
    expect((await quorate(['top', '--once'])).stdout).toMatch(/leader[^]*RUNNER[^]*QUEUE/);
  });

  it('cancels a job whose output nobody reads any more', async () => {
    const { http } = await cluster().node(0).requireFile();
    const env = cleanEnvironment({ QUORATE_URL: `http://${http}`, QUORATE_TOKEN: await cluster().adminToken() });
    const script = '"$0" run --name endless -- yes | head -n 2; echo "${PIPESTATUS[0]}"';
    const { stdout } = await promisify(execFile)('bash', ['-c', script, QUORATE], { env });
    expect(stdout).toBe('y\ny\n141\n');
    const listed = await quorate(['jobs', '--name', 'endless', '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ state: 'cancelled' });
  });

  it('tells what to do next when it is refused', async () => {
    const reading = (await quorate(['token', 'create', '--scope', 'jobs:read'])).stdout.trim();
    const group = (await quorate(['group', 'create'])).stdout.trim();
    await quorate(['group', 'close', group]);
    const refusals: readonly (readonly [args: readonly string[], told: RegExp])[] = [
      [['submit', '--token', reading, '--', 'true'], /\(forbidden\)\n {2}next: .*quorate token create --scope/],
      [['jobs', '--token', 'qt_wrong'], /\(unauthenticated\)\n {2}next: .*QUORATE_TOKEN/],
      [['submit', '--group', group, '--', 'true'], /\(groupClosed\)\n {2}next: .*quorate group create/],
      [['wait', '--timeout', '1s', 'nobody'], /\(notFound\)\n {2}next: .*quorate jobs/],
    ];
    for (const [args, told] of refusals) {
      const { code, stderr } = await quorate(args);
      expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringMatching(told) as string });
    }
  });

  it('helps without a node', async () => {
    const result = await runQuorate(['--help']);
    expect(result.code).toBe(0);
    expect(result.stdout).toMatch(/\bdev\b[\s\S]*\bup\b[\s\S]*\brun\b/);
  });
});
