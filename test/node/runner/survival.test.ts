import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import type { Assignment, AttemptKey } from '../../../node/runner/ports.ts';
import { createFrameDecoder, encodeFrame } from '../../../node/runner/frames.ts';
import type { ToRunner } from '../../../node/runner/messages.ts';
import { attemptLayout, runnerLayout, runnerRoot } from '../../../node/runner/layout.ts';
import { readMeta } from '../../../node/runner/meta-file.ts';
import { identifyProcess } from '../../../node/runner/process-identity.ts';
import { readRunnerFile, takeRunnerFile } from '../../../node/runner/runner-file.ts';
import type { Incarnation } from '../../../src/ids.ts';
import { ANOTHER_LIVES_EXIT_CODE } from '../../../node/runner/runner-options.ts';
import { spawnRunner } from '../../../node/runner/runner-process.ts';
import { createRunnerSupervisor } from '../../../node/runner/supervisor.ts';
import { cleanUp, connectNode, pidIn, randomJob, runs, silent, tempDataDir, until } from './support.ts';

const FIXTURE = fileURLToPath(new URL('./node-fixture.ts', import.meta.url));
const sh = (script: string) => ({ command: ['sh', '-c', script] });
const forever = sh('echo $$ > $QUORATE_OUTPUTS/pid; echo up; exec sleep 1000');
const assignment = (spec: Assignment['spec']): Assignment => ({
  job: randomJob(),
  attempt: 1,
  spec,
  timeoutMs: null,
  idleTimeoutMs: null,
  env: {},
});
const layoutOf = (dataDir: string) => runnerLayout(runnerRoot(dataDir));

/** A node process of its own; resolves once it was told of each of these, of a short job its end alone. */
async function runNode(
  dataDir: string,
  assignments: readonly Assignment[],
  awaited: readonly (readonly [kind: 'started' | 'ended', of: Assignment])[],
  more: {
    readonly options?: object;
    readonly env?: Record<string, string>;
    readonly extra?: (number | 'ignore')[];
  } = {},
) {
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      FIXTURE,
      dataDir,
      JSON.stringify(assignments),
      JSON.stringify(more.options ?? {}),
    ],
    { env: { ...process.env, ...more.env }, stdio: ['ignore', 'pipe', 'inherit', ...(more.extra ?? [])] },
  );
  cleanUp(() => void child.kill('SIGKILL'));
  const lines: { kind: string; job?: string; incarnation?: string; pid?: number }[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(JSON.parse(line)));
  const isTold = () => awaited.every(([kind, { job }]) => lines.some((line) => line.kind === kind && line.job === job));
  await until(() => isTold() || child.exitCode !== null);
  return {
    connected: lines[0],
    async kill() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

describe('the death of the node', () => {
  test('leaves the runner and its jobs as they are, for the next node to find', async () => {
    const dataDir = tempDataDir();
    const live = assignment(sh('until test -e $QUORATE_OUTPUTS/go; do sleep 0.01; done; echo done'));
    const over = assignment({ command: ['echo', 'over'] });
    const dead = await runNode(
      dataDir,
      [live, over],
      [
        ['started', live],
        ['ended', over],
      ],
    );
    await dead.kill();
    const node = await connectNode(dataDir);
    expect(node).toMatchObject({ incarnation: dead.connected?.incarnation, pid: dead.connected?.pid });
    expect(node.held.map(({ job }) => job).sort()).toEqual([live.job, over.job].sort());
    expect(await node.ended(over)).toMatchObject({ incarnation: node.incarnation, end: { outcome: 'succeeded' } });
    expect(node.events).toContainEqual(expect.objectContaining({ kind: 'started', job: live.job }));
    writeFileSync(join(node.layout(live).outputs, 'go'), '');
    expect((await node.ended(live)).end.outcome).toBe('succeeded');
    expect(node.output(live)).toBe('done\n');
  });

  test('has each end told until it is forgotten, and not after', async () => {
    const dataDir = tempDataDir();
    const first = await connectNode(dataDir);
    const forgotten = first.start({ command: ['true'] });
    const kept = first.start({ command: ['true'] });
    await first.ended(forgotten);
    await first.ended(kept);
    first.supervisor.forget(forgotten);
    await first.supervisor.close('keep');
    const second = await connectNode(dataDir);
    expect(second.held).toEqual([kept]);
    await second.ended(kept);
    expect(second.events).toHaveLength(1);
  });

  test('does not hand its environment or its descriptors on', async () => {
    for (const launcher of ['posixSpawn', 'node']) {
      const dataDir = tempDataDir();
      const leak = join(dataDir, 'leak');
      const job = assignment(sh('env; cat /proc/$PPID/environ; ls -l /proc/self/fd /proc/$PPID/fd'));
      // Node closes the low ones to its children by itself.
      const extra = [...Array.from({ length: 37 }, () => 'ignore' as const), openSync(leak, 'w')];
      await runNode(dataDir, [job], [['ended', job]], {
        options: { launcher },
        env: { QUORATE_TOKEN: 'canary' },
        extra,
      });
      const output = readFileSync(attemptLayout(layoutOf(dataDir).attempts, job).stdout, 'utf8');
      expect(output).toContain('QUORATE_JOB_ID');
      expect(output).toContain('/dev/null');
      expect(output).not.toContain('canary');
      expect(output).not.toContain('leak');
    }
  });
});

describe('the runner process', () => {
  test('lies in a private folder and listens on a private socket', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const { root, lockFile } = layoutOf(dataDir);
    const file = readRunnerFile(lockFile);
    expect(file).toMatchObject({ pid: node.pid, incarnation: node.incarnation, socket: join(root, 'runner.sock') });
    expect(statSync(root).mode & 0o777).toBe(0o700);
    expect(statSync(file?.socket ?? '').mode & 0o777).toBe(0o600);
  });

  test('listens elsewhere when its folder is too deep for a socket, and tidies up there', async () => {
    const dataDir = join(tempDataDir(), 'd'.repeat(60), 'd'.repeat(60));
    mkdirSync(dataDir, { recursive: true });
    const node = await connectNode(dataDir);
    const socket = readRunnerFile(layoutOf(dataDir).lockFile)?.socket ?? '';
    expect(socket.length).toBeLessThan(104);
    expect(statSync(dirname(socket)).mode & 0o777).toBe(0o700);
    expect((await node.run({ command: ['true'] })).end.outcome).toBe('succeeded');
    const again = await connectNode(dataDir);
    expect(again.incarnation).toBe(node.incarnation);
    await again.supervisor.close('killJobs');
    expect(existsSync(dirname(socket))).toBe(false);
  });

  test('is started once, though who hears that it is gone connects at once', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const asked = Promise.withResolvers<object>();
    node.supervisor.onEvent((event) => {
      if (event.kind === 'gone') node.supervisor.connect().then(asked.resolve, asked.reject);
    });
    process.kill(node.pid, 'SIGKILL');
    // In one turn: were it not dead yet when its socket closes, that would be told later, once the state is known.
    while (runs(node.pid));
    const connection = await asked.promise;
    expect(await node.supervisor.connect()).toBe(connection);
    expect((await node.run({ command: ['true'] })).end.outcome).toBe('succeeded');
  });

  test('is still found after another one came too late for its folder', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const late = spawnRunner(layoutOf(dataDir), {});
    await until(() => late.exitCode() !== null);
    expect(late.exitCode()).toBe(ANOTHER_LIVES_EXIT_CODE);
    await node.supervisor.close('keep');
    const again = await connectNode(dataDir);
    expect(again.pid).toBe(node.pid);
  });

  test('removes the private socket folders of those that were killed, and of no others', async () => {
    const deep = () => {
      const dataDir = join(tempDataDir(), 'd'.repeat(60), 'd'.repeat(60));
      mkdirSync(dataDir, { recursive: true });
      return dataDir;
    };
    const [killed, living] = [deep(), deep()];
    const { pid, supervisor } = await connectNode(killed);
    const survivor = await connectNode(living);
    const folderOf = (dataDir: string) => dirname(readRunnerFile(layoutOf(dataDir).lockFile)?.socket ?? '');
    const [dead, alive] = [folderOf(killed), folderOf(living)];
    await supervisor.close('keep');
    process.kill(pid, 'SIGKILL');
    expect(existsSync(dead)).toBe(true);

    await connectNode(tempDataDir());
    await until(() => !existsSync(dead));
    expect(existsSync(alive)).toBe(true);
    await survivor.supervisor.close('killJobs');
  });

  test('that is killed is told as gone, its jobs are ended, and another one takes over', async () => {
    const dataDir = tempDataDir();
    const registry = new Registry();
    const node = await connectNode(dataDir, {}, { registry });
    const noted = node.start(sh('trap "" TERM; echo $$ > $QUORATE_OUTPUTS/pid; sh -c "sleep 1000; :" & wait'));
    const pid = await pidIn(join(node.layout(noted).outputs, 'pid'));
    await until(() => existsSync(node.layout(noted).meta));
    const over = node.start({ command: ['true'] });
    await node.ended(over);
    process.kill(node.pid, 'SIGKILL');
    await until(() => node.events.some((event) => event.kind === 'gone'));
    const next = await node.supervisor.connect();
    expect(node.events).toContainEqual({ kind: 'gone', incarnation: node.incarnation });
    expect(next.incarnation).not.toBe(node.incarnation);
    expect(next.held).toEqual([over]);
    await until(() => !runs(pid));
    await until(() => node.events.filter((event) => event.kind === 'ended').length === 2);
    expect(node.events.at(-1)).toMatchObject({ ...over, kind: 'ended', incarnation: node.incarnation });
    expect((await node.run({ command: ['true'] })).incarnation).toBe(next.incarnation);
    expect(await registry.metrics()).toContain('quorate_runner_losses_total 1');
    expect(await registry.metrics()).toContain('quorate_runner_outcomes_total{outcome="succeeded"} 2');
  });

  test('finds what a dead one started last or what left its group, by the environment', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const key = node.start(
      sh("echo $$ > $QUORATE_OUTPUTS/pid; setsid sh -c 'echo $$ > $QUORATE_OUTPUTS/away; sleep 1000; :' & sleep 1000"),
    );
    const main = await pidIn(join(node.layout(key).outputs, 'pid'));
    const away = await pidIn(join(node.layout(key).outputs, 'away'));
    rmSync(node.layout(key).meta, { force: true });
    process.kill(node.pid, 'SIGKILL');
    await until(() => node.events.some((event) => event.kind === 'gone'));
    await until(() => !runs(main) && !runs(away));
  });

  test('ends what a dead one started also when it hides its environment', async () => {
    const node = await connectNode(tempDataDir());
    const key = node.start(sh('echo $$ > $QUORATE_OUTPUTS/pid; exec env -i sleep 1000'));
    const pid = await pidIn(join(node.layout(key).outputs, 'pid'));
    await until(() => existsSync(node.layout(key).meta));
    process.kill(node.pid, 'SIGKILL');
    await until(() => node.events.some((event) => event.kind === 'gone'));
    await until(() => !runs(pid));
  });

  test('does not kill a process that has got the number of a job of old', async () => {
    const dataDir = tempDataDir();
    const first = await connectNode(dataDir);
    const key = first.start(forever);
    await until(() => readMeta(first.layout(key)) !== null);
    const bystander = spawn('sleep', ['1000'], { detached: true });
    cleanUp(() => void bystander.kill('SIGKILL'));
    process.kill(first.pid, 'SIGSTOP');
    const meta = JSON.parse(readFileSync(first.layout(key).meta, 'utf8'));
    process.kill(meta.pid, 'SIGKILL');
    writeFileSync(first.layout(key).meta, JSON.stringify({ ...meta, pid: bystander.pid }));
    process.kill(first.pid, 'SIGKILL');
    await until(() => first.events.some((event) => event.kind === 'gone'));
    await first.supervisor.connect();
    expect(runs(bystander.pid ?? 0)).toBe(true);
  });

  test('that lives but does not answer is killed with its jobs', async () => {
    const dataDir = tempDataDir();
    const first = await connectNode(dataDir);
    const key = first.start(forever);
    const job = await pidIn(join(first.layout(key).outputs, 'pid'));
    await first.supervisor.close('keep');
    process.kill(first.pid, 'SIGSTOP');
    const second = await connectNode(dataDir, {}, { answerMs: 200 });
    expect(second.incarnation).not.toBe(first.incarnation);
    expect(runs(first.pid)).toBe(false);
    await until(() => !runs(job));
    expect(second.held).toEqual([]);
  });

  test('of another protocol version is ended and replaced', async () => {
    const dataDir = tempDataDir();
    const { root, lockFile } = layoutOf(dataDir);
    mkdirSync(root, { recursive: true });
    const socket = join(root, 'old.sock');
    const script = `require('net').createServer((s) => s.on('data', () => s.write(Buffer.from([0, 0, 0, 2, 99, 0xc0])))).listen(${JSON.stringify(socket)})`;
    const old = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    cleanUp(() => void old.kill('SIGKILL'));
    await until(() => existsSync(socket));
    const identity = identifyProcess(old.pid ?? 0);
    writeFileSync(lockFile, JSON.stringify({ ...identity, incarnation: 'old', socket }));
    const node = await connectNode(dataDir);
    expect(node.pid).not.toBe(old.pid);
    expect(runs(old.pid ?? 0)).toBe(false);
  });

  test('refuses a node of another protocol version in words, and goes on', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const { connect } = await import('node:net');
    const socket = connect(readRunnerFile(layoutOf(dataDir).lockFile)?.socket ?? '');
    const frame = encodeFrame({ kind: 'hello' });
    frame[4] = 77;
    socket.write(frame);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString('latin1')).toContain('speaks version 1 of the protocol, not 77');
    expect((await node.run({ command: ['true'] })).end.outcome).toBe('succeeded');
  });

  test('survives bytes that are no message', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const { connect } = await import('node:net');
    for (const bytes of [Buffer.alloc(100, 0xff), Buffer.from([0, 0, 0, 3, 1, 0xc1, 0xc1])]) {
      const socket = connect(readRunnerFile(layoutOf(dataDir).lockFile)?.socket ?? '');
      socket.on('error', () => {});
      const closed = once(socket, 'close');
      socket.write(bytes);
      await closed;
    }
    expect((await node.run({ command: ['true'] })).end.outcome).toBe('succeeded');
  });

  test('belongs to the node that connected last; the one before is let go and stays away', async () => {
    const dataDir = tempDataDir();
    const first = await connectNode(dataDir);
    const second = await connectNode(dataDir);
    expect(second.incarnation).toBe(first.incarnation);
    const key = second.start({ command: ['true'] });
    await second.ended(key);
    expect(first.events).toEqual([]);
  });

  test('is one, however many are started at once', async () => {
    const dataDir = tempDataDir();
    const nodes = await Promise.all([1, 2, 3].map(() => connectNode(dataDir)));
    expect(new Set(nodes.map((node) => node.incarnation)).size).toBe(1);
    await until(() => processesOf(layoutOf(dataDir).root).length === 1);
    expect(processesOf(layoutOf(dataDir).root)).toEqual([nodes[0]?.pid]);
  });

  test('stops its jobs as lost when its lease is over, and tells it when a node is back', async () => {
    const dataDir = tempDataDir();
    const first = await connectNode(dataDir);
    const key = first.start(forever);
    const job = await pidIn(join(first.layout(key).outputs, 'pid'));
    first.supervisor.renew(60_000);
    first.supervisor.renew(400);
    await first.supervisor.close('keep');
    await until(() => !runs(job));
    const second = await connectNode(dataDir);
    expect((await second.ended(key)).end).toMatchObject({ outcome: 'lost', reason: expect.stringContaining('lease') });
    second.supervisor.renew(60_000);
    expect((await second.run({ command: ['sleep', '0.5'] })).end.outcome).toBe('succeeded');
  });

  test('has no lease when the node says so', async () => {
    const node = await connectNode(tempDataDir());
    node.supervisor.renew(10);
    node.supervisor.renew(null);
    expect((await node.run({ command: ['sleep', '0.6'] })).end.outcome).toBe('succeeded');
  });

  test('ends with its jobs when it is told to, and what became of them is told later', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const key = node.start(forever);
    const job = await pidIn(join(node.layout(key).outputs, 'pid'));
    await node.supervisor.close('killJobs');
    expect(runs(node.pid) || runs(job)).toBe(false);
    expect((await node.ended(key)).end.outcome).toBe('lost');
    expect(existsSync(layoutOf(dataDir).lockFile)).toBe(false);
    const next = await connectNode(dataDir);
    expect(next.incarnation).not.toBe(node.incarnation);
    expect(await next.ended(key)).toMatchObject({ incarnation: node.incarnation, end: { outcome: 'lost' } });
  });

  test('ends even when it does not react any more', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir, { graceMs: 50 }, { answerMs: 200 });
    const key = node.start(forever);
    const job = await pidIn(join(node.layout(key).outputs, 'pid'));
    process.kill(node.pid, 'SIGSTOP');
    await node.supervisor.close('killJobs');
    expect(runs(node.pid)).toBe(false);
    await until(() => !runs(job));
  });

  test('goes away by itself when nobody needs it', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir, { idleExitMs: 300 });
    const key = node.start({ command: ['true'] });
    await node.ended(key);
    node.supervisor.forget(key);
    await node.supervisor.close('keep');
    await until(() => !runs(node.pid));
    expect(existsSync(layoutOf(dataDir).lockFile)).toBe(false);
  });

  test('stays while an end is untold', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir, { idleExitMs: 1 });
    await node.ended(node.start({ command: ['true'] }));
    await node.supervisor.close('keep');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(runs(node.pid)).toBe(true);
  });

  test('goes away with its jobs when its folder is taken from it', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const key = node.start(forever);
    const job = await pidIn(join(node.layout(key).outputs, 'pid'));
    await node.supervisor.close('keep');
    rmSync(runnerRoot(dataDir), { recursive: true, force: true });
    await until(() => !runs(node.pid) && !runs(job));
  });

  test('does not run what was meant for another one', async () => {
    const node = await connectNode(tempDataDir());
    const key = node.start({ command: ['true'] }, { incarnation: 'another' as Incarnation });
    await node.run({ command: ['true'] }, { incarnation: node.incarnation });
    expect(existsSync(node.layout(key).root)).toBe(false);
  });

  test.each(['', '{"version":1,', '{"version":2}'])('treats the outcome %j as none', async (text) => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const key = node.start({ command: ['true'] });
    await node.ended(key);
    await node.supervisor.close('killJobs');
    writeFileSync(node.layout(key).outcome, text);
    const next = await connectNode(dataDir);
    expect(next.held).toEqual([]);
    expect(existsSync(node.layout(key).forgotten)).toBe(true);
  });

  test('keeps the output of the last attempts only', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir, { kept: { attempts: 2, ageMs: 60_000, bytes: 1e9 } });
    const keys: AttemptKey[] = [];
    for (let i = 0; i < 4; i++) {
      const key = node.start({ command: ['echo', String(i)] });
      await node.ended(key);
      node.supervisor.forget(key);
      keys.push(key);
    }
    const left = () => keys.map((key) => existsSync(node.layout(key).root));
    await until(() => left().filter(Boolean).length === 2);
    expect(left()).toEqual([false, false, true, true]);
  });

  test('that cannot start is told with its last words', async () => {
    const dataDir = tempDataDir();
    const { root, attempts } = layoutOf(dataDir);
    mkdirSync(root, { recursive: true });
    writeFileSync(attempts, 'in the way');
    const supervisor = createRunnerSupervisor({ logger: silent }, { dataDir });
    await expect(supervisor.connect()).rejects.toMatchObject({
      code: 'runnerUnavailable',
      message: expect.stringContaining('EEXIST'),
    });
    expect(() => supervisor.start(assignment({ command: ['true'] }))).toThrow('no runner process is connected');
    await supervisor.close('keep');
  });
});

describe('a connection that breaks', () => {
  test('is made again to the same runner, and what may be lost is said again', async () => {
    const dataDir = tempDataDir();
    const { root, lockFile } = layoutOf(dataDir);
    mkdirSync(root, { recursive: true });
    const socket = join(root, 'fake.sock');
    const heard: ToRunner[][] = [];
    const sockets: Socket[] = [];
    const server = createServer((peer) => {
      const decoder = createFrameDecoder<ToRunner>();
      const messages: ToRunner[] = [];
      heard.push(messages);
      sockets.push(peer);
      peer.on('data', (chunk: Buffer) => {
        for (const decoded of decoder.push(chunk)) if (decoded.kind === 'message') messages.push(decoded.message);
        if (messages.length === 1) {
          peer.write(encodeFrame({ kind: 'welcome', incarnation: 'fake', pid: process.pid, held: [] }));
        }
      });
    }).listen(socket);
    cleanUp(() => {
      sockets.forEach((peer) => peer.destroy());
      server.close();
      rmSync(lockFile);
    });
    await until(() => existsSync(socket));
    writeFileSync(lockFile, JSON.stringify({ ...identifyProcess(process.pid), incarnation: 'fake', socket }));

    const node = await connectNode(dataDir);
    const started = node.start({ command: ['true'] });
    const over = node.start({ command: ['true'] });
    node.supervisor.stop(over, 'cancelled');
    node.supervisor.renew(60_000);
    await until(() => heard[0]?.length === 5);
    sockets[0]?.write(encodeFrame({ kind: 'event', event: { kind: 'ended', ...over, end: { outcome: 'cancelled' } } }));
    await node.ended(over);
    sockets[0]?.destroy();
    await until(() => heard[1]?.length === 3);
    expect(heard[1]?.map((message) => message.kind)).toEqual(['hello', 'renew', 'start']);
    expect(heard[1]?.[1]).toMatchObject({ ms: expect.any(Number) });
    expect(heard[1]?.[2]).toMatchObject({ assignment: started });
    expect(node.events.map((event) => event.kind)).toEqual(['ended']);
  });
});

function processesOf(root: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(root);
      } catch {
        return false;
      }
    });
}

describe('the file of a runner', () => {
  const own = (pid: number, name: string) => {
    const identity = identifyProcess(pid);
    return { pid, startTime: identity?.startTime ?? '', incarnation: name as Incarnation, socket: '/s' };
  };

  test('is not taken from one that lives', () => {
    const path = join(tempDataDir(), 'runner.json');
    expect(takeRunnerFile(path, own(process.pid, 'a'))).toBeNull();
    expect(() => takeRunnerFile(path, own(process.ppid, 'b'))).toThrow('has this folder');
    expect(readRunnerFile(path)?.incarnation).toBe('a');
    expect(readdirSync(dirname(path))).toEqual(['runner.json']);
  });

  test('is taken from one that died, even if its number lives on', () => {
    const path = join(tempDataDir(), 'runner.json');
    takeRunnerFile(path, { ...own(process.pid, 'a'), startTime: '1' });
    expect(takeRunnerFile(path, own(process.ppid, 'b'))).toMatchObject({ incarnation: 'a' });
    expect(readRunnerFile(path)?.incarnation).toBe('b');
    expect(readdirSync(dirname(path))).toEqual(['runner.json']);
  });

  test('that cannot be read is taken', () => {
    const path = join(tempDataDir(), 'runner.json');
    appendFileSync(path, '{"pid":');
    expect(takeRunnerFile(path, own(process.pid, 'a'))).toBeNull();
    expect(readRunnerFile(path)?.incarnation).toBe('a');
  });
});
