import type { DynamicLibrary } from 'node:ffi';

/**
 * The C library's calls that start and reap processes, for 64-bit little-endian Linux (glibc and musl agree on every
 * number here). Node's process image has them, so nothing is loaded.
 */
export interface Libc {
  spawn(path: bigint, actions: bigint, attributes: bigint, argv: bigint, env: bigint, pid: bigint): number;
  initActions(actions: bigint): number;
  destroyActions(actions: bigint): number;
  addOpen(actions: bigint, fd: number, path: bigint, flags: number, mode: number): number;
  addChdir(actions: bigint, path: bigint): number;
  /** Null where the library is too old; everything that Node opens is closed on exec anyhow. */
  readonly addCloseFrom: ((actions: bigint, fd: number) => number) | null;
  initAttributes(attributes: bigint): number;
  setFlags(attributes: bigint, flags: number): number;
  setSignalMask(attributes: bigint, set: bigint): number;
  setDefaultSignals(attributes: bigint, set: bigint): number;
  waitid(idType: number, id: number, info: bigint, options: number): number;
  wait4(pid: number, status: bigint, options: number, usage: bigint): number;
  prctl(option: number, argument: bigint): number;
}

export const SPAWN_SETSIGDEF = 0x04;
export const SPAWN_SETSIGMASK = 0x08;
export const SPAWN_SETSID = 0x80;

export const P_ALL = 0;
export const P_PID = 1;
export const WNOHANG = 1;
export const WEXITED = 4;
export const WNOWAIT = 0x0100_0000;

export const PR_SET_CHILD_SUBREAPER = 36;

/** @throws Error when this Node has no ffi or the library lacks a call */
export async function loadLibc(): Promise<Libc> {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new Error(`no bindings for ${process.platform} on ${process.arch}`);
  }
  const { DynamicLibrary } = await import('node:ffi');
  const library = new DynamicLibrary(null);
  const pointer = 'pointer';
  const int = 'i32';
  const spawn = library.getFunction('posix_spawn', {
    return: int,
    arguments: [pointer, pointer, pointer, pointer, pointer, pointer],
  });
  const prctl = library.getFunction('prctl', { return: int, arguments: [int, 'u64', 'u64', 'u64', 'u64'] });
  const unary = { return: int, arguments: [pointer] } as const;
  const binary = { return: int, arguments: [pointer, pointer] } as const;
  return {
    spawn: (path, actions, attributes, argv, env, pid) => spawn(pid, path, actions, attributes, argv, env),
    initActions: library.getFunction('posix_spawn_file_actions_init', unary),
    destroyActions: library.getFunction('posix_spawn_file_actions_destroy', unary),
    addOpen: library.getFunction('posix_spawn_file_actions_addopen', {
      return: int,
      arguments: [pointer, int, pointer, int, 'u32'],
    }),
    addChdir: library.getFunction('posix_spawn_file_actions_addchdir_np', binary),
    addCloseFrom: loadCloseFrom(library),
    initAttributes: library.getFunction('posix_spawnattr_init', unary),
    setFlags: library.getFunction('posix_spawnattr_setflags', { return: int, arguments: [pointer, 'i16'] }),
    setSignalMask: library.getFunction('posix_spawnattr_setsigmask', binary),
    setDefaultSignals: library.getFunction('posix_spawnattr_setsigdefault', binary),
    waitid: library.getFunction('waitid', { return: int, arguments: [int, 'u32', pointer, int] }),
    wait4: library.getFunction('wait4', { return: int, arguments: [int, pointer, int, pointer] }),
    prctl: (option, argument) => prctl(option, argument, 0n, 0n, 0n),
  };
}

function loadCloseFrom(library: DynamicLibrary): Libc['addCloseFrom'] {
  try {
    return library.getFunction('posix_spawn_file_actions_addclosefrom_np', {
      return: 'i32',
      arguments: ['pointer', 'i32'],
    });
  } catch {
    return null;
  }
}

/** Memory outside of the garbage collector's moves: `address` is good for as long as `bytes` is referenced. */
export interface Memory {
  readonly bytes: Buffer;
  readonly address: bigint;
}

export async function createAllocator(): Promise<(size: number) => Memory> {
  const { getRawPointer } = await import('node:ffi');
  return (size) => {
    const bytes = Buffer.alloc(size);
    return { bytes, address: getRawPointer(bytes) };
  };
}

/** Lays out C strings and arrays of pointers to them, for the one call that follows. */
export interface Arena {
  reset(strings: number, characters: number): void;
  string(text: string): bigint;
  list(texts: readonly string[]): bigint;
}

const POINTER_BYTES = 8;
const UTF8_BYTES_MAX = 3;

export function createArena(allocate: (size: number) => Memory): Arena {
  let memory = allocate(64 * 1024);
  let used = 0;

  function string(text: string): bigint {
    const start = used;
    used += memory.bytes.write(text, used);
    memory.bytes[used++] = 0;
    return memory.address + BigInt(start);
  }

  return {
    reset(strings, characters) {
      used = 0;
      const size = characters * UTF8_BYTES_MAX + strings * (1 + POINTER_BYTES) + 4 * POINTER_BYTES;
      if (size > memory.bytes.length) memory = allocate(size);
    },
    string,
    list(texts) {
      const pointers = texts.map(string);
      used = Math.ceil(used / POINTER_BYTES) * POINTER_BYTES;
      const start = used;
      for (const pointer of [...pointers, 0n]) used = memory.bytes.writeBigUInt64LE(pointer, used);
      return memory.address + BigInt(start);
    },
  };
}
