import { constants as fsConstants } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { assert } from '../../src/errors.ts';
import {
  createAllocator,
  createArena,
  loadLibc,
  P_ALL,
  P_PID,
  SPAWN_SETSID,
  SPAWN_SETSIGDEF,
  SPAWN_SETSIGMASK,
  WEXITED,
  WNOHANG,
  WNOWAIT,
} from './libc.ts';
import type { Arena, Libc, Memory } from './libc.ts';
import { adoptOrphans, leaveOrphans } from './orphans.ts';
import type { Launcher, LaunchListener, LaunchRequest, Orphans, ProcessExit } from './launcher.ts';
import { signalGroup } from './process-group.ts';

const { O_APPEND, O_CREAT, O_RDONLY, O_WRONLY } = fsConstants;

/** The largest of these structures in glibc has 336 bytes. */
const STRUCTURE_BYTES = 1024;
const SIGNAL_SET_BYTES = 128;
/** Where siginfo_t has the pid. */
const SIGINFO_PID = 16;
/** SIGCHLD tells of deaths at once; this finds one whose signal was not seen. */
const SWEEP_MS = 250;
const SHELL = '/bin/sh';

/**
 * By the C library's posix_spawn, which shares the parent's memory until the exec and so costs a fraction of a fork,
 * and by wait4, which tells what a process used.
 * @throws Error where this is not to be had
 */
export async function createPosixSpawnLauncher(options: { readonly orphans: Orphans }): Promise<Launcher> {
  const libc = await loadLibc();
  const allocate = await createAllocator();
  const spawn = createSpawn(libc, allocate);
  const { peek, reap } = createReaper(libc, allocate);
  const live = new Map<number, LaunchListener>();
  const orphans = options.orphans === 'adopt' ? adoptOrphans(libc, live) : leaveOrphans();

  function finish(pid: number): void {
    const listener = live.get(pid);
    assert(listener !== undefined, 'only processes of this launcher are reaped');
    // Before the reaping: until then the number cannot belong to another process or group.
    signalGroup(pid, 'SIGKILL');
    const exit = reap(pid);
    live.delete(pid);
    listener.exited(exit);
  }

  function sweep(): void {
    for (let dead = peek(P_ALL, 0); dead !== 0; dead = peek(P_ALL, 0)) {
      if (live.has(dead)) finish(dead);
      else if (orphans.areAdopted) reap(dead);
      else return sweepOneByOne();
    }
  }

  /** A dead child of somebody else hides those behind it until its owner reaps it. */
  function sweepOneByOne(): void {
    for (const pid of live.keys()) {
      if (peek(P_PID, pid) !== 0) finish(pid);
    }
  }

  process.on('SIGCHLD', sweep);
  const timer = setInterval(() => {
    if (live.size > 0) sweep();
  }, SWEEP_MS);
  timer.unref();

  return {
    name: 'posixSpawn',
    launch(request, listener) {
      let spawned = spawn(request);
      // As execvp does: a script without an interpreter line is for the shell.
      if (spawned.errno === osConstants.errno.ENOEXEC) spawned = spawn(throughShell(request));
      if (spawned.errno !== 0) {
        listener.failed(getSystemErrorName(-spawned.errno));
        return null;
      }
      live.set(spawned.pid, listener);
      return spawned.pid;
    },
    leftBehind: () => orphans.left(),
    close() {
      orphans.close();
      process.off('SIGCHLD', sweep);
      clearInterval(timer);
    },
  };
}

function throughShell(request: LaunchRequest): LaunchRequest {
  return { ...request, executable: SHELL, argv: [SHELL, request.executable, ...request.argv.slice(1)] };
}

interface Spawned {
  readonly errno: number;
  readonly pid: number;
}

function createSpawn(libc: Libc, allocate: (size: number) => Memory): (request: LaunchRequest) => Spawned {
  const arena = createArena(allocate);
  const attributes = createAttributes(libc, allocate);
  const actions = allocate(STRUCTURE_BYTES);
  const pid = allocate(8);

  return (request) => {
    const env = Object.entries(request.env).map(([name, value]) => `${name}=${value}`);
    reserve(arena, [request.executable, request.cwd, request.stdin, request.stdout, request.stderr], request.argv, env);
    let errno = libc.initActions(actions.address);
    if (errno !== 0) return { errno, pid: 0 };
    errno =
      addActions(libc, arena, actions.address, request) ||
      libc.spawn(
        arena.string(request.executable),
        actions.address,
        attributes.address,
        arena.list(request.argv),
        arena.list(env),
        pid.address,
      );
    libc.destroyActions(actions.address);
    return { errno, pid: pid.bytes.readInt32LE(0) };
  };
}

function reserve(arena: Arena, ...lists: (readonly string[])[]): void {
  let strings = 0;
  let characters = 0;
  for (const list of lists) {
    strings += list.length + 1;
    for (const text of list) characters += text.length;
  }
  arena.reset(strings, characters);
}

/** In order: the files while the paths still mean what they did, then the folder, then all other descriptors. */
function addActions(libc: Libc, arena: Arena, actions: bigint, request: LaunchRequest): number {
  const output = O_WRONLY | O_CREAT | O_APPEND;
  return (
    libc.addOpen(actions, 0, arena.string(request.stdin), O_RDONLY, 0) ||
    libc.addOpen(actions, 1, arena.string(request.stdout), output, 0o600) ||
    libc.addOpen(actions, 2, arena.string(request.stderr), output, 0o600) ||
    libc.addChdir(actions, arena.string(request.cwd)) ||
    (libc.addCloseFrom === null ? 0 : libc.addCloseFrom(actions, 3))
  );
}

function createAttributes(libc: Libc, allocate: (size: number) => Memory): Memory {
  const attributes = allocate(STRUCTURE_BYTES);
  const none = allocate(SIGNAL_SET_BYTES);
  const all = allocate(SIGNAL_SET_BYTES);
  all.bytes.fill(0xff);
  const errno =
    libc.initAttributes(attributes.address) ||
    libc.setFlags(attributes.address, SPAWN_SETSID | SPAWN_SETSIGMASK | SPAWN_SETSIGDEF) ||
    libc.setSignalMask(attributes.address, none.address) ||
    libc.setDefaultSignals(attributes.address, all.address);
  assert(errno === 0 && none.bytes.length === all.bytes.length, 'the attributes are fixed and valid');
  return attributes;
}

interface Reaper {
  /** The pid of a dead child, left as it is; 0 for none. */
  peek(idType: number, id: number): number;
  reap(pid: number): ProcessExit;
}

function createReaper(libc: Libc, allocate: (size: number) => Memory): Reaper {
  const info = allocate(SIGNAL_SET_BYTES);
  const status = allocate(8);
  const usage = allocate(STRUCTURE_BYTES);
  return {
    peek(idType, id) {
      info.bytes.writeInt32LE(0, SIGINFO_PID);
      const result = libc.waitid(idType, id, info.address, WEXITED | WNOHANG | WNOWAIT);
      return result === 0 ? info.bytes.readInt32LE(SIGINFO_PID) : 0;
    },
    reap(pid) {
      const reaped = libc.wait4(pid, status.address, WNOHANG, usage.address);
      assert(reaped === pid, 'a child that was seen dead can be reaped');
      return readExit(status.bytes.readInt32LE(0), usage.bytes);
    },
  };
}

function readExit(status: number, usage: Buffer): ProcessExit {
  const signal = status & 0x7f;
  return {
    exitCode: signal === 0 ? (status >> 8) & 0xff : null,
    signal: signal === 0 ? null : signalName(signal),
    usage: {
      cpuUserMs: readMilliseconds(usage, 0),
      cpuSystemMs: readMilliseconds(usage, 16),
      maxRssBytes: readMaxRss(usage),
    },
  };
}

/** The peak of this process in KiB, as it was last asked for: it never goes down. */
let ownMaxRss = 0;

/** A child shares the memory of this process until its exec, and Linux remembers the peak of that too. */
function readMaxRss(usage: Buffer): number | null {
  const kibibytes = Number(usage.readBigInt64LE(32));
  if (kibibytes > ownMaxRss) ownMaxRss = process.resourceUsage().maxRSS;
  return kibibytes > ownMaxRss ? kibibytes * 1024 : null;
}

function readMilliseconds(usage: Buffer, offset: number): number {
  return Number(usage.readBigInt64LE(offset)) * 1000 + Number(usage.readBigInt64LE(offset + 8)) / 1000;
}

const SIGNAL_NAMES = new Map(Object.entries(osConstants.signals).map(([name, value]) => [value, name]));

function signalName(signal: number): string {
  return SIGNAL_NAMES.get(signal) ?? `SIG${signal}`;
}
