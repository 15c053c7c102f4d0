import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { chooseLauncher } from '../../../node/runner/choose-launcher.ts';
import type { Launcher, LaunchRequest, ProcessExit } from '../../../node/runner/launcher.ts';
import { readProcessStat } from '../../../node/runner/process-identity.ts';
import { runs, silent, tempDataDir, until } from './support.ts';

type Result = { readonly pid: number; readonly exit: ProcessExit } | { readonly failed: string };

describe.each(['posixSpawn', 'node'] as const)('the launcher %s', (prefer) => {
  async function setUp() {
    const folder = tempDataDir();
    const launcher: Launcher = await chooseLauncher({ logger: silent }, { prefer });
    onTestFinished(() => launcher.close());
    function launch(command: readonly string[], more: Partial<LaunchRequest> = {}): Promise<Result> {
      return new Promise((resolve) => {
        const pid = launcher.launch(
          {
            executable: command[0] ?? '',
            argv: command,
            env: { PATH: '/usr/bin:/bin' },
            cwd: folder,
            stdin: '/dev/null',
            stdout: join(folder, 'stdout'),
            stderr: join(folder, 'stderr'),
            ...more,
          },
          { failed: (failed) => resolve({ failed }), exited: (exit) => resolve({ pid: pid ?? 0, exit }) },
        );
      });
    }
    const output = (name = 'stdout') => readFileSync(join(folder, name), 'utf8');
    return { folder, launcher, launch, output };
  }

  test('is the one that was asked for on this machine', async () => {
    const { launcher } = await setUp();
    expect(launcher.name).toBe(prefer);
  });

  test('tells the exit code', async () => {
    const { launch } = await setUp();
    expect(await launch(['/bin/sh', '-c', 'exit 0'])).toMatchObject({ exit: { exitCode: 0, signal: null } });
    expect(await launch(['/bin/sh', '-c', 'exit 200'])).toMatchObject({ exit: { exitCode: 200, signal: null } });
  });

  test('tells the signal', async () => {
    const { launch } = await setUp();
    expect(await launch(['/bin/sh', '-c', 'kill -SEGV $$'])).toMatchObject({
      exit: { exitCode: null, signal: 'SIGSEGV' },
    });
  });

  test('gives arguments, environment, folder and streams as they are', async () => {
    const { folder, launch, output } = await setUp();
    mkdirSync(join(folder, 'sub dir'));
    writeFileSync(join(folder, 'in'), 'grüße');
    await launch(
      ['/bin/sh', '-c', 'printf "%s|" "$0" "$@" "$PWD" "$V" "$(cat)"; env >&2', 'ä', '', 'two words', '"\n'],
      {
        env: { V: 'ß=1' },
        cwd: join(folder, 'sub dir'),
        stdin: join(folder, 'in'),
      },
    );
    expect(output()).toBe(`ä||two words|"\n|${folder}/sub dir|ß=1|grüße|`);
    expect(
      output('stderr')
        .split('\n')
        .filter((line) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(line)),
    ).toEqual(['V=ß=1', '']);
  });

  test('takes more arguments than its first memory holds', async () => {
    const { launch, output } = await setUp();
    const long = 'x'.repeat(100_000);
    await launch(['/bin/sh', '-c', 'printf %s "$1$2"', 'sh', long, 'ö'.repeat(20_000)]);
    expect(output()).toBe(long + 'ö'.repeat(20_000));
  });

  test('appends to output files', async () => {
    const { launch, output } = await setUp();
    await launch(['/bin/echo', '1']);
    await launch(['/bin/echo', '2']);
    expect(output()).toBe('1\n2\n');
  });

  test('makes each process the leader of a session of its own', async () => {
    const { launch, output } = await setUp();
    const result = await launch(['/bin/cat', '/proc/self/stat']);
    const fields = output()
      .slice(output().lastIndexOf(')') + 2)
      .split(' ');
    expect(result).toMatchObject({ pid: Number(fields[2]) });
    expect(fields[3]).toBe(fields[2]);
  });

  test.runIf(prefer === 'posixSpawn')('passes no descriptor but the three', async () => {
    const { folder, launch, output } = await setUp();
    const open = openSync(folder, 'r');
    onTestFinished(() => closeSync(open));
    const inherited = await duplicateForChildren(open);
    onTestFinished(() => closeSync(inherited));
    await launch(['/bin/ls', '-l', '/proc/self/fd']);
    const targets = output()
      .split('\n')
      .flatMap((line) => / (\d+) -> (.*)$/.exec(line)?.slice(1).join(' ') ?? []);
    expect(targets.slice(0, 3)).toEqual(['0 /dev/null', `1 ${folder}/stdout`, `2 ${folder}/stderr`]);
    expect(targets.slice(3)).toEqual([expect.stringMatching(/^3 \/proc\/\d+\/fd$/)]);
  });

  test('gives default signal dispositions and an empty mask', async () => {
    const { launch, output } = await setUp();
    await launch(['/bin/grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status']);
    expect(output()).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
  });

  test.each([
    ['a program that is not there', '/no/such/program', 'ENOENT'],
    ['a file that is not executable', '/etc/passwd', 'EACCES'],
    ['a folder', '/tmp', 'EACCES'],
  ])('fails for %s', async (_, executable, code) => {
    const { launch } = await setUp();
    expect(await launch([executable])).toEqual({ failed: code });
  });

  test('fails when the folder to run in is not there', async () => {
    const { folder, launch } = await setUp();
    expect(await launch(['/bin/true'], { cwd: join(folder, 'none') })).toEqual({ failed: 'ENOENT' });
  });

  test('fails when the arguments are too long for the system', async () => {
    const { launch } = await setUp();
    expect(await launch(['/bin/true', 'x'.repeat(200_000)])).toEqual({ failed: 'E2BIG' });
  });

  test('runs a script without an interpreter line by the shell', async () => {
    const { folder, launch, output } = await setUp();
    writeFileSync(join(folder, 'script'), 'echo "ran $0 $1"', { mode: 0o755 });
    await launch([join(folder, 'script'), 'arg']);
    expect(output()).toBe(`ran ${folder}/script arg\n`);
  });

  test('kills what is left of the group when the main process ends', async () => {
    const { launch, output } = await setUp();
    await launch(['/bin/sh', '-c', 'trap "" TERM HUP; sleep 1000 & echo $!']);
    const left = Number(output());
    await until(() => !runs(left));
  });

  test('leaves the children of others to them', async () => {
    const { launch } = await setUp();
    const foreign = spawn('/bin/sh', ['-c', 'exit 7']);
    const code = new Promise((resolve) => foreign.once('exit', resolve));
    const own = await Promise.all(Array.from({ length: 20 }, (_, i) => launch(['/bin/sh', '-c', `exit ${i}`])));
    expect(own.map((result) => 'exit' in result && result.exit.exitCode)).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
    expect(await code).toBe(7);
  });

  test('tells each of many ends once, and leaves neither zombies nor descriptors', async () => {
    const { launch } = await setUp();
    const before = readdirSync('/proc/self/fd').length;
    const results: Result[] = [];
    for (let round = 0; round < 20; round++) {
      results.push(...(await Promise.all(Array.from({ length: 10 }, () => launch(['/bin/true'])))));
    }
    const pids = results.map((result) => ('pid' in result ? result.pid : 0));
    expect(results.filter((result) => 'exit' in result && result.exit.exitCode === 0)).toHaveLength(200);
    expect(pids.filter((pid) => readProcessStat(pid)?.state === 'Z')).toEqual([]);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before + 2);
  });

  test('follows links to programs', async () => {
    const { folder, launch, output } = await setUp();
    symlinkSync('/bin/echo', join(folder, 'link'));
    await launch([join(folder, 'link'), 'linked']);
    expect(output()).toBe('linked\n');
  });
});

test('posix_spawn is not hindered by a dead child that nobody reaps', async () => {
  const folder = tempDataDir();
  const request = {
    executable: '/bin/true',
    argv: ['true'],
    env: {},
    cwd: folder,
    stdin: '/dev/null',
    stdout: `${folder}/stdout`,
    stderr: `${folder}/stderr`,
  };
  const careless = await chooseLauncher({ logger: silent }, { prefer: 'posixSpawn' });
  const pid = careless.launch(request, { failed: () => {}, exited: () => {} });
  careless.close();
  await until(() => readProcessStat(pid ?? 0)?.state === 'Z');
  const launcher = await chooseLauncher({ logger: silent }, { prefer: 'posixSpawn' });
  onTestFinished(() => launcher.close());
  const exit = await new Promise<ProcessExit>((exited, failed) => launcher.launch(request, { failed, exited }));
  expect(exit.exitCode).toBe(0);
});

describe('posix_spawn', () => {
  async function adopting() {
    const folder = tempDataDir();
    const launcher = await chooseLauncher({ logger: silent }, { prefer: 'posixSpawn', orphans: 'adopt' });
    onTestFinished(() => launcher.close());
    const files = { stdin: '/dev/null', stdout: `${folder}/stdout`, stderr: `${folder}/stderr` };
    const launch = (script: string) =>
      new Promise<ProcessExit>((exited, failed) => {
        const env = { PATH: '/usr/bin:/bin' };
        const argv = ['sh', '-c', script];
        launcher.launch({ executable: '/bin/sh', argv, env, cwd: folder, ...files }, { failed, exited });
      });
    return { folder, launcher, launch };
  }

  test('knows whether a process that left its group lives on, and reaps it', async () => {
    const { folder, launcher, launch } = await adopting();
    const running = launch(`until test -e ${folder}/go; do sleep 0.01; done`);
    await launch('exit');
    // Others may have left a dead child of this process.
    await until(() => launcher.leftBehind() === 'nothing');
    await launch(`setsid sh -c 'echo $$ > ${folder}/away; sleep 1000; :' & until test -s ${folder}/away; do :; done`);
    expect(launcher.leftBehind()).toBe('maybe');
    const away = Number(readFileSync(`${folder}/away`, 'utf8'));
    expect(readProcessStat(away)?.parent).toBe(process.pid);
    process.kill(-away, 'SIGKILL');
    await until(() => launcher.leftBehind() === 'nothing');
    expect(readProcessStat(away)).toBeNull();
    writeFileSync(`${folder}/go`, '');
    expect((await running).exitCode).toBe(0);
  });

  test('tells an exit also when an orphan has died before', async () => {
    const { folder, launch } = await adopting();
    for (let round = 0; round < 5; round++) {
      await launch(`setsid sh -c ': > ${folder}/away' & until test -e ${folder}/away; do :; done`);
      expect((await launch('exit 3')).exitCode).toBe(3);
    }
  });

  test('does not know what is left behind when orphans go elsewhere', async () => {
    const launcher = await chooseLauncher({ logger: silent }, { prefer: 'posixSpawn' });
    onTestFinished(() => launcher.close());
    expect(launcher.leftBehind()).toBe('maybe');
  });

  async function usageOf(program: string, ...argv: readonly string[]) {
    const folder = tempDataDir();
    const launcher = await chooseLauncher({ logger: silent }, { prefer: 'posixSpawn' });
    onTestFinished(() => launcher.close());
    const files = { stdin: '/dev/null', stdout: `${folder}/stdout`, stderr: `${folder}/stderr` };
    const request = { executable: program, argv: [program, ...argv], env: {}, cwd: folder, ...files };
    const exit = await new Promise<ProcessExit>((exited, failed) => launcher.launch(request, { failed, exited }));
    expect(exit.exitCode).toBe(0);
    return exit.usage;
  }

  test('tells what a process used', async () => {
    const program = 'const big = Buffer.alloc(900e6, 1); while (process.cpuUsage().user < 200_000) big[0]++;';
    const usage = await usageOf(process.execPath, '-e', program);
    expect(usage?.cpuUserMs).toBeGreaterThan(190);
    expect(usage?.cpuSystemMs).toBeGreaterThan(0);
    expect(usage?.maxRssBytes).toBeGreaterThan(900e6);
  });

  test('does not tell its own size as that of a small process', async () => {
    expect(await usageOf('/bin/true')).toMatchObject({ maxRssBytes: null });
  });
});

/** Node opens nothing that a child would get; the C library's dup does. */
async function duplicateForChildren(fd: number): Promise<number> {
  const { dlopen } = await import('node:ffi');
  return dlopen(null, { dup: { return: 'i32', arguments: ['i32'] } }).functions.dup(fd);
}
