import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readProcessStat } from '../../../node/runner/process-identity.ts';
import { createWorkdir } from '../../../node/runner/workdir.ts';
import { connectNode, pidIn, randomJob, runs, tempDataDir, until } from './support.ts';

const sh = (script: string, ...more: string[]) => ({ command: ['sh', '-c', script, 'sh', ...more] });

describe.each(['posixSpawn', 'node'] as const)('jobs started by %s', (launcher) => {
  const connect = (options = {}) => connectNode(tempDataDir(), { launcher, ...options });

  test('run, and their output and end are kept', async () => {
    const node = await connect();
    const key = node.start({ command: ['echo', 'hi there'] });
    const ended = await node.ended(key);
    expect(ended).toMatchObject({ ...key, incarnation: node.incarnation });
    expect(ended.end).toMatchObject({ outcome: 'succeeded', exitCode: 0, signal: null, reason: null });
    expect(node.output(key)).toBe('hi there\n');
    expect(node.output(key, 'stderr')).toBe('');
    expect(ended.startedAt).toBeLessThanOrEqual(ended.endedAt);
    expect(['ended', 'started ended']).toContain(node.events.map((event) => event.kind).join(' '));
    expect(existsSync(node.layout(key).outcome)).toBe(true);
  });

  test('fail by an exit code or a signal', async () => {
    const node = await connect();
    expect((await node.run(sh('exit 3'))).end).toMatchObject({
      outcome: 'failed',
      exitCode: 3,
      signal: null,
      reason: null,
    });
    expect((await node.run(sh('kill -SEGV $$'))).end).toMatchObject({
      outcome: 'failed',
      exitCode: null,
      signal: 'SIGSEGV',
    });
    expect((await node.run(sh('kill -KILL $$'))).end).toMatchObject({
      outcome: 'failed',
      signal: 'SIGKILL',
      reason: expect.stringContaining('out of memory'),
    });
  });

  test('that cannot be started fail with the code and the words of a shell', async () => {
    const node = await connect();
    const end = async (...command: string[]) => (await node.run({ command })).end;
    expect(await end('no-such-command')).toMatchObject({
      outcome: 'failed',
      exitCode: 127,
      reason: 'command not found: no-such-command',
    });
    expect(await end('/no/such/file')).toMatchObject({ outcome: 'failed', exitCode: 127 });
    const long = await end(`/no/${'x'.repeat(100_000)}`);
    expect(long.reason).toMatch(/^command not found: \/no\/x+…$/);
    expect(long.reason?.length).toBeLessThan(300);
    expect(await end('./none')).toMatchObject({ outcome: 'failed', exitCode: 127 });
    expect(await end('')).toMatchObject({ outcome: 'failed', exitCode: 127 });
    expect(await end('/etc/passwd')).toMatchObject({
      outcome: 'failed',
      exitCode: 126,
      reason: 'not executable: /etc/passwd',
    });
    expect(await end('/tmp')).toMatchObject({ outcome: 'failed', exitCode: 126 });
    expect(await end('true', 'x'.repeat(200_000))).toMatchObject({
      outcome: 'failed',
      exitCode: 126,
      reason: expect.stringContaining('too long'),
    });
    expect((await node.run({ command: ['true'] })).end.outcome).toBe('succeeded');
  });

  test('with a missing interpreter are told so', async () => {
    const node = await connect();
    const script = join(tempDataDir(), 'script');
    writeFileSync(script, '#!/no/such/interpreter\n', { mode: 0o755 });
    const { end } = await node.run({ command: [script] });
    expect(end).toMatchObject({
      outcome: 'failed',
      exitCode: 127,
      reason: `the interpreter of ${script} was not found`,
    });
  });

  test('are looked up in their own PATH', async () => {
    const node = await connect();
    const folder = tempDataDir();
    writeFileSync(join(folder, 'own-command'), '#!/bin/sh\necho own', { mode: 0o755 });
    const key = node.start({ command: ['own-command'], env: { PATH: `/none:${folder}` } });
    expect((await node.ended(key)).end.outcome).toBe('succeeded');
    expect(node.output(key)).toBe('own\n');
    expect((await node.run({ command: ['ls'], env: { PATH: folder } })).end.exitCode).toBe(127);
  });

  test('read nothing, or what the spec gives', async () => {
    const node = await connect();
    expect(
      (await node.run(sh('test -c /dev/stdin && test "$(readlink /proc/self/fd/0)" = /dev/null'))).end.exitCode,
    ).toBe(0);
    const key = node.start({ command: ['cat'], stdin: 'grüße\n\0' });
    await node.ended(key);
    expect(node.output(key)).toBe('grüße\n\0');
  });

  test('have a clean environment, made of the spec and of what the node gives', async () => {
    const node = await connect({ path: '/usr/bin:/bin' });
    const key = node.start(
      { command: ['/usr/bin/env'], env: { A: 'spec', B: 'spec', LANG: 'de_DE' } },
      { env: { B: 'node', QUORATE_URL: 'http://x' } },
    );
    await node.ended(key);
    const { work, tmp, outputs } = node.layout(key);
    expect(node.output(key).trim().split('\n').sort()).toEqual(
      [
        'A=spec',
        'B=node',
        `HOME=${work}`,
        'LANG=de_DE',
        'PATH=/usr/bin:/bin',
        'QUORATE_ATTEMPT=1',
        `QUORATE_JOB_ID=${key.job}`,
        `QUORATE_OUTPUTS=${outputs}`,
        'QUORATE_URL=http://x',
        `TMPDIR=${tmp}`,
      ].sort(),
    );
  });

  test('run in their work folder or the one below that they ask for', async () => {
    const node = await connect();
    const plain = node.start({ command: ['pwd'] });
    const below = node.start({ command: ['pwd'], workdir: './a//b' });
    await node.ended(plain);
    await node.ended(below);
    expect(node.output(plain)).toBe(`${node.layout(plain).work}\n`);
    expect(node.output(below)).toBe(`${node.layout(below).work}/a/b\n`);
  });

  test('whose workdir leads out are not run', async () => {
    const node = await connect();
    for (const workdir of ['..', 'a/../../b', '/tmp']) {
      expect((await node.run({ command: ['true'], workdir })).end).toMatchObject({
        outcome: 'failed',
        reason: expect.stringContaining('leaves'),
      });
    }
  });

  test('are stopped by TERM, and told as cancelled or lost', async () => {
    const node = await connect({ graceMs: 60_000 });
    for (const why of ['cancelled', 'lost'] as const) {
      const key = node.start(
        sh('trap "echo bye; exit 9" TERM; echo up > $QUORATE_OUTPUTS/up; while :; do sleep 0.01; done'),
      );
      await until(() => existsSync(join(node.layout(key).outputs, 'up')));
      node.supervisor.stop(key, why);
      expect((await node.ended(key)).end).toMatchObject({ outcome: why, exitCode: 9, signal: null });
      expect(node.output(key)).toBe('bye\n');
    }
  });

  test('that ignore TERM are killed with everything that they started', async () => {
    const node = await connect({ graceMs: 50 });
    const key = node.start(
      sh('trap "" TERM; sh -c "sleep 1000; :" & echo $! > $QUORATE_OUTPUTS/child; while :; do sleep 1; done'),
    );
    const child = await pidIn(join(node.layout(key).outputs, 'child'));
    node.supervisor.stop(key, 'cancelled');
    expect((await node.ended(key)).end).toMatchObject({ outcome: 'cancelled', exitCode: null, signal: 'SIGKILL' });
    await until(() => !runs(child));
  });

  test('that were stopped by a signal of theirs can be ended', async () => {
    const node = await connect({ graceMs: 60_000 });
    const key = node.start(sh('echo $$ > $QUORATE_OUTPUTS/pid; kill -STOP $$'));
    await pidIn(join(node.layout(key).outputs, 'pid'));
    node.supervisor.stop(key, 'cancelled');
    expect((await node.ended(key)).end).toMatchObject({ outcome: 'cancelled', signal: 'SIGTERM' });
  });

  test('leave no process of their group behind', async () => {
    const node = await connect();
    const key = node.start(sh('trap "" TERM HUP; sleep 1000 & echo $! > $QUORATE_OUTPUTS/left'));
    expect((await node.ended(key)).end.outcome).toBe('succeeded');
    const left = await pidIn(join(node.layout(key).outputs, 'left'));
    await until(() => !runs(left));
  });

  test('end at their timeout', async () => {
    const node = await connect();
    const { end } = await node.run({ command: ['sleep', '1000'] }, { timeoutMs: 100 });
    expect(end).toMatchObject({ outcome: 'timedOut', signal: 'SIGTERM', reason: expect.stringContaining('100 ms') });
  });

  test('end when neither output grew for as long as they may be idle', async () => {
    const node = await connect();
    const script = 'trap "echo ended; exit 3" TERM; echo begun; sleep 1000 & wait';
    const { end } = await node.run(sh(script), { idleTimeoutMs: 300 });
    expect(end).toMatchObject({ outcome: 'timedOut', exitCode: 3 });
    expect(end.reason).toBe('it wrote nothing for its idleTimeout of 300 ms');
  });

  test.each([1, 2])('go on for as long after what they wrote last to the output %i', async (output) => {
    const node = await connect();
    const writing = `i=0; while test $i -lt 10; do i=$((i + 1)); echo $i >&${output}; sleep 0.1; done; exec sleep 1000`;
    const key = node.start(sh(writing), { idleTimeoutMs: 600 });
    const { end, endedAt } = await node.ended(key);
    const { stdout, stderr } = node.layout(key);
    expect(end).toMatchObject({ outcome: 'timedOut', signal: 'SIGTERM' });
    expect(endedAt - statSync(output === 1 ? stdout : stderr).mtimeMs).toBeGreaterThanOrEqual(600);
  });

  test('with a timeout longer than a timer can hold go on', async () => {
    const node = await connect();
    const { end } = await node.run({ command: ['sleep', '0.1'] }, { timeoutMs: 30 * 24 * 3600 * 1000 });
    expect(end.outcome).toBe('succeeded');
  });

  test('have their output cut at the limit, which is told', async () => {
    const node = await connect({ logBytes: 10_000 });
    const key = node.start(sh('head -c 1000000 /dev/zero; head -c 9999 /dev/zero >&2'));
    expect((await node.ended(key)).end).toMatchObject({
      outcome: 'succeeded',
      reason: 'stdout cut at 10000 bytes',
    });
    expect(node.output(key).length).toBe(10_000);
    expect(node.output(key, 'stderr').length).toBe(9_999);
  });

  test('that write on and on are cut while they run, which is told at the end', async () => {
    const node = await connect({ logBytes: 10_000 });
    const once =
      'head -c 30000 /dev/zero; touch $QUORATE_OUTPUTS/wrote; until test -e $QUORATE_OUTPUTS/go; do sleep 0.01; done';
    const key = node.start(sh(`${once}; head -c 30000 /dev/zero >&2`));
    await until(() => existsSync(join(node.layout(key).outputs, 'wrote')));
    await until(() => node.output(key).length === 10_000);
    writeFileSync(join(node.layout(key).outputs, 'go'), '');
    expect((await node.ended(key)).end.reason).toBe('stdout and stderr cut at 10000 bytes');
    expect(node.output(key).length).toBe(10_000);
  });

  test('are started once, however often it is asked for', async () => {
    const node = await connect();
    const job = randomJob();
    const spec = sh('echo run; sleep 0.2');
    for (let i = 0; i < 3; i++) node.start(spec, { job });
    const key = { job, attempt: 1 };
    await node.ended(key);
    node.start(spec, { job });
    await until(() => node.events.filter((event) => event.kind === 'ended').length === 2);
    node.supervisor.forget(key);
    node.start(spec, { job });
    node.start({ command: ['true'] }, { job, attempt: 2 });
    await node.ended({ job, attempt: 2 });
    expect(node.output(key)).toBe('run\n');
    expect(node.events.filter((event) => event.kind === 'ended' && event.attempt === 1)).toHaveLength(2);
  });

  test('unknown here are told as ended when they are stopped, and do not run later', async () => {
    const node = await connect();
    const key = { job: randomJob(), attempt: 3 };
    node.supervisor.stop(key, 'cancelled');
    expect(await node.ended(key)).toMatchObject({ startedAt: null, end: { outcome: 'cancelled', exitCode: null } });
    node.start(sh('echo ran > $QUORATE_OUTPUTS/ran'), key);
    await until(() => node.events.length === 2);
    expect(node.events.map((event) => event.kind)).toEqual(['ended', 'ended']);
    expect(readdirSync(node.layout(key).root)).toEqual(['outcome']);
  });

  test('that are forgotten keep their output and nothing else', async () => {
    const node = await connect();
    const key = node.start({
      command: [
        'sh',
        '-c',
        'mkdir -p a/b; touch a/b/c "$TMPDIR/t" "$QUORATE_OUTPUTS/o"; chmod 500 a/b; sleep 0.1; echo out',
      ],
      stdin: 'in',
    });
    await node.ended(key);
    node.supervisor.forget(key);
    const left = () => readdirSync(node.layout(key).root).sort();
    await until(() => left().length === 3);
    expect(left()).toEqual(['forgotten', 'stderr', 'stdout']);
  });

  test('come by the hundred without a leak', async () => {
    const node = await connect();
    const descriptors = () => readdirSync(`/proc/${node.pid}/fd`).length;
    await node.run({ command: ['true'] });
    const before = descriptors();
    const keys = Array.from({ length: 500 }, () => node.start({ command: ['true'] }));
    for (const key of keys) {
      expect((await node.ended(key)).end.outcome).toBe('succeeded');
      node.supervisor.forget(key);
    }
    await node.run({ command: ['true'] });
    expect(descriptors()).toBeLessThanOrEqual(before + 2);
    expect(childrenOf(node.pid)).toEqual([]);
  });

  test('beyond what a runner holds are lost to it, with the reason', async () => {
    const node = await connect({ heldMax: 2 });
    const first = node.start({ command: ['sleep', '1000'] });
    await node.run({ command: ['true'] });
    expect((await node.run({ command: ['true'] })).end).toMatchObject({
      outcome: 'lost',
      reason: expect.stringContaining('holds 2'),
    });
    node.supervisor.stop(first, 'cancelled');
    await node.ended(first);
  });

  test('for which the machine has no folder are lost to it', async () => {
    const node = await connect();
    const key = { job: randomJob(), attempt: 1 };
    writeFileSync(node.layout(key).root, 'in the way');
    node.start({ command: ['true'] }, key);
    expect((await node.ended(key)).end.outcome).toBe('lost');
  });
});

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((child) => readProcessStat(child)?.parent === pid);
}

test('a workdir never goes through a link', () => {
  const base = tempDataDir();
  const outside = tempDataDir();
  mkdirSync(join(base, 'real'));
  symlinkSync(outside, join(base, 'link'));
  symlinkSync('real', join(base, 'inner'));
  chmodSync(outside, 0o755);
  expect(createWorkdir(base, 'real/x')).toBe(join(base, 'real/x'));
  expect(() => createWorkdir(base, 'link/x')).toThrow('leaves');
  expect(() => createWorkdir(base, 'inner/x')).toThrow('leaves');
  expect(readdirSync(outside)).toEqual([]);
});
