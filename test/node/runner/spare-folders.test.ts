import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { attemptName, runnerLayout, runnerRoot } from '../../../node/runner/layout.ts';
import { createLogReader } from '../../../node/runner/log-reader.ts';
import type { AttemptKey } from '../../../node/runner/ports.ts';
import { openSilentList, readSilentList } from '../../../node/runner/silent-list.ts';
import { connectNode, pidIn, randomJob, runs, tempDataDir, until } from './support.ts';

const sh = (script: string) => ({ command: ['sh', '-c', script] });
const never = new AbortController().signal;
const all = { stream: 'both', follow: false, tail: null } as const;

async function setUp() {
  const dataDir = tempDataDir();
  const layout = runnerLayout(runnerRoot(dataDir));
  const node = await connectNode(dataDir);
  const spares = () => readdirSync(layout.attempts).filter((name) => name.startsWith('spare-'));
  /** Runs one and has it forgotten, to the point where its folder is given back or kept. */
  async function run(spec: Parameters<typeof node.start>[0]): Promise<AttemptKey> {
    const key = node.start(spec);
    await node.ended(key);
    await forget(key);
    return key;
  }
  async function forget(key: AttemptKey): Promise<void> {
    node.supervisor.forget(key);
    await until(() => !existsSync(node.layout(key).root) || existsSync(node.layout(key).forgotten));
  }
  const read = async (key: AttemptKey) => {
    let text = '';
    for await (const { data } of createLogReader(dataDir).read(key, all, never)) text += Buffer.from(data).toString();
    return text;
  };
  return { dataDir, layout, node, spares, run, forget, read };
}

describe('the folder of an attempt that left nothing', () => {
  test('is the folder of a later one, which finds it as new', async () => {
    const { node, spares, run, forget, read } = await setUp();
    const silent = await run({ command: ['sh', '-c', 'cat; sleep 0.1'], stdin: '' });
    expect(spares()).toHaveLength(1);
    const inode = statSync(join(node.layout(silent).root, '..', spares()[0] ?? '', 'work')).ino;
    const next = node.start(sh('ls -A . "$TMPDIR" "$QUORATE_OUTPUTS" | grep -v :; pwd; cat; echo error >&2'));
    await node.ended(next);
    expect(spares()).toEqual([]);
    expect(statSync(node.layout(next).work).ino).toBe(inode);
    expect(node.output(next).trim().split('\n').filter(Boolean)).toEqual([node.layout(next).work]);
    expect(await read(next)).toContain('error\n');
    await forget(next);
    expect(readdirSync(node.layout(next).root)).toContain('forgotten');
    expect(await read(silent)).toBe('');
  });

  test('has no start of the attempt run again, and no other end', async () => {
    const { node, layout, run } = await setUp();
    const key = await run({ command: ['true'] });
    node.start(sh('echo again'), key);
    await run({ command: ['true'] });
    expect(existsSync(node.layout(key).root)).toBe(false);
    node.supervisor.stop(key, 'lost');
    await until(() => node.events.filter((event) => event.kind === 'ended' && event.job === key.job).length === 2);
    expect(readSilentList(layout.silentList).map(({ name }) => name)).toContain(attemptName(key));
  });

  test('is not mistaken for that of an attempt which has one', async () => {
    const { node, run } = await setUp();
    const kept = await run({ command: ['echo', 'kept'] });
    await run({ command: ['true'] });
    node.start(sh('echo again'), kept);
    await run({ command: ['true'] });
    expect(node.output(kept)).toBe('kept\n');
  });

  test('is made anew when somebody else has removed it', async () => {
    const { node, layout, run, spares } = await setUp();
    await run({ command: ['true'] });
    for (const spare of spares()) rmSync(join(layout.attempts, spare), { recursive: true });
    const key = node.start(sh('echo made'));
    expect(await node.ended(key)).toMatchObject({ end: { outcome: 'succeeded' } });
    expect(node.output(key)).toBe('made\n');
  });

  test('holds the end of a later one on disk until it is told', async () => {
    const { dataDir, node, run, spares } = await setUp();
    await run({ command: ['true'] });
    const key = node.start(sh('exit 3'));
    await node.ended(key);
    expect(spares()).toEqual([]);
    await node.supervisor.close('keep');
    process.kill(node.pid, 'SIGKILL');
    const next = await connectNode(dataDir);
    expect(await next.ended(key)).toMatchObject({ incarnation: node.incarnation, end: { exitCode: 3 } });
  });

  test('is not used by the runner process that follows a killed one', async () => {
    const { dataDir, layout, node, run, spares, read } = await setUp();
    const key = await run({ command: ['true'] });
    const [spare = ''] = spares();
    writeFileSync(join(layout.attempts, spare, 'work', 'left'), '');
    await node.supervisor.close('keep');
    process.kill(node.pid, 'SIGKILL');
    const next = await connectNode(dataDir);
    const other = next.start(sh('ls -A'));
    await next.ended(other);
    expect(next.output(other)).toBe('');
    await until(() => spares().length === 0);
    expect(await read(key)).toBe('');
    next.start(sh('echo again'), key);
    await next.run({ command: ['true'] });
    expect(existsSync(next.layout(key).root)).toBe(false);
  });
});

describe('a folder that was given back several times', () => {
  test.each([
    ['work', 'touch file'],
    ['outputs', 'mkdir $QUORATE_OUTPUTS/folder'],
    ['tmp', 'cd $TMPDIR; touch -r . ../../before; touch file; touch -r ../../before .; rm ../../before'],
    ['tmp with another mode', 'chmod 755 $TMPDIR'],
  ])('is kept when a job leaves something in its folder %s', async (_, script) => {
    const { spares, run } = await setUp();
    for (let times = 0; times < 3; times += 1) {
      await run({ command: ['true'] });
      await sleep(60);
    }
    expect(spares()).toHaveLength(1);
    await run(sh(`touch file; rm file`));
    expect(spares()).toHaveLength(1);
    await run(sh(script));
    expect(spares()).toEqual([]);
  });
});

describe('a folder is kept', () => {
  test.each([
    ['wrote output', 'echo out'],
    ['wrote errors', 'echo err >&2'],
    ['left a file in its work folder', 'touch file'],
    ['left a file in its outputs', 'touch $QUORATE_OUTPUTS/file'],
    ['left a temporary file', 'touch $TMPDIR/file'],
    ['left a file beside them', 'touch $QUORATE_OUTPUTS/../file'],
    ['changed the mode of a folder', 'chmod 500 .'],
    ['put a link in the place of its output', 'cd $QUORATE_OUTPUTS/..; rm stdout; ln -s /tmp/elsewhere stdout'],
    ['keeps its output under another name', 'ln $QUORATE_OUTPUTS/../stdout $QUORATE_OUTPUTS/../../stdout-of-mine'],
  ])('when the job %s', async (_, script) => {
    const { node, run, spares } = await setUp();
    const key = await run(sh(script));
    expect(spares()).toEqual([]);
    expect(existsSync(node.layout(key).forgotten)).toBe(true);
  });

  test('when a process of the job lives on, whose output is not told as that of others', async () => {
    const { node, run, forget, spares, read } = await setUp();
    const script = `setsid sh -c 'echo $$ > "$0"; until test -e "$0.go"; do sleep 0.01; done; echo late' "$0" & until test -s "$0"; do :; done`;
    const file = join(tempDataDir(), 'away');
    const key = node.start({ command: ['sh', '-c', script, file] });
    await node.ended(key);
    const away = await pidIn(file);
    await forget(key);
    expect(spares()).toEqual([]);
    const next = node.start({ command: ['true'] });
    await node.ended(next);
    writeFileSync(`${file}.go`, '');
    await until(() => !runs(away));
    expect(await read(next)).toBe('');
    expect(await read(key)).toBe('late\n');
    await forget(next);
    await run({ command: ['true'] });
    expect(spares()).toHaveLength(1);
  });
});

describe('a reader that follows an attempt without output', () => {
  test('tells nothing of the attempt that has its folder next', async () => {
    const { dataDir, layout, node, spares } = await setUp();
    const key = node.start(sh('until test -e "$TMPDIR/go"; do sleep 0.01; done; rm "$TMPDIR/go"'));
    const next = { job: randomJob(), attempt: 1 };
    await until(() => existsSync(node.layout(key).stdout));
    const seen = { text: '', over: false };
    const events = createLogReader(dataDir).read(key, { ...all, follow: true }, never);
    void (async () => {
      for await (const { data } of events) seen.text += Buffer.from(data).toString();
      seen.over = true;
    })();
    await until(() => openedBy(process.pid, node.layout(key).stdout));
    // What the runner does, in one turn of this event loop, in which the reader cannot look.
    renameSync(node.layout(key).root, join(layout.attempts, 'spare-9'));
    renameSync(join(layout.attempts, 'spare-9'), node.layout(next).root);
    appendFileSync(node.layout(next).stdout, 'secret');
    await until(() => seen.over);
    expect(seen.text).toBe('');
    expect(spares()).toEqual([]);
    mkdirSync(node.layout(key).tmp, { recursive: true });
    writeFileSync(join(node.layout(key).tmp, 'go'), '');
    await node.ended(key);
  });
});

function openedBy(pid: number, path: string): boolean {
  const inode = statSync(path).ino;
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return statSync(`/proc/${pid}/fd/${fd}`).ino === inode;
    } catch {
      return false;
    }
  });
}

describe('the list of attempts without output', () => {
  const name = (at: number) => `01890000-0000-7000-8000-${String(at).padStart(12, '0')}-1`;

  test('keeps the newest, through restarts and a line that was cut', () => {
    const path = join(tempDataDir(), 'silent');
    let list = openSilentList(path, { linesMax: 4 });
    for (let at = 1; at <= 5; at++) list.add({ name: name(at), endedAt: at });
    appendFileSync(path, name(77));
    list = openSilentList(path, { linesMax: 4 });
    list.add({ name: name(6), endedAt: 6 });
    expect(readSilentList(path)).toEqual([1, 2, 3, 4, 5, 6].map((at) => ({ name: name(at), endedAt: at })));
    for (let at = 7; at <= 9; at++) list.add({ name: name(at), endedAt: at });
    expect(readSilentList(path).map(({ endedAt }) => endedAt)).toEqual([5, 6, 7, 8, 9]);
  });

  test('loses no line but the one for which there was no room', () => {
    const path = join(tempDataDir(), 'silent');
    const script = `
      import { execFileSync } from 'node:child_process';
      import { openSilentList } from '${import.meta.resolve('../../../node/runner/silent-list.ts')}';
      const list = openSilentList('${path}', { linesMax: 100 });
      const refused = [];
      for (const [at, name] of ${JSON.stringify([1, 2, 3, 4].map(name))}.entries()) {
        if (at === 3) execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited']);
        try { list.add({ name, endedAt: at + 1 }); } catch { refused.push(at + 1); }
      }
      console.log(JSON.stringify(refused));`;
    // Room for one line, and for a part of the next.
    const limited = ['--fsize=60:unlimited', process.execPath, '--input-type=module', '--eval', script];
    expect(JSON.parse(execFileSync('prlimit', limited, { encoding: 'utf8' }))).toEqual([2, 3]);
    expect(readSilentList(path).map(({ endedAt }) => endedAt)).toEqual([1, 4]);
  });

  test('goes on with a file that somebody else removed, and with one that cannot be begun', () => {
    const path = join(tempDataDir(), 'silent');
    const list = openSilentList(path, { linesMax: 1 });
    list.add({ name: name(1), endedAt: 1 });
    mkdirSync(join(`${path}.1`, 'in the way'), { recursive: true });
    for (const at of [2, 3]) expect(() => list.add({ name: name(at), endedAt: at })).toThrow(/EISDIR|ENOTEMPTY/);
    rmSync(`${path}.1`, { recursive: true });
    list.add({ name: name(4), endedAt: 4 });
    rmSync(path);
    list.add({ name: name(5), endedAt: 5 });
    expect(readSilentList(path).map(({ endedAt }) => endedAt)).toEqual([1, 5]);
  });
});
