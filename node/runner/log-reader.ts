import { existsSync, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { LogEvent } from '../../src/api/views.ts';
import { Fault } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { attemptLayout, isAttemptKey, runnerLayout, runnerRoot } from './layout.ts';
import type { AttemptLayout } from './layout.ts';
import { findTail } from './find-tail.ts';
import type { AttemptKey, LogOffsets, LogPiece, LogQuery, LogReader } from './ports.ts';
import { isInSilentList } from './silent-list.ts';

const CHUNK_BYTES = 64 * 1024;
/** Where the system does not tell of changes. */
const POLL_MS = 50;
/** Where it does, and should it once fail to. */
const WATCHED_POLL_MS = 1_000;

type Stream = LogEvent['stream'];

export interface LogReaderOptions {
  /** What the runner cuts outputs at. */
  readonly logBytes?: number;
}

export function createLogReader(dataDir: string, { logBytes = LIMITS.logBytes }: LogReaderOptions = {}): LogReader {
  const { attempts, silentList } = runnerLayout(runnerRoot(resolve(dataDir)));
  /** Null: it has left nothing. */
  function find(key: AttemptKey): AttemptLayout | null {
    if (!isAttemptKey(key)) throw new Fault('logUnavailable', 'no attempt has such a name');
    const layout = attemptLayout(attempts, key);
    if (existsSync(layout.root)) return layout;
    if (isInSilentList(silentList, key)) return null;
    throw new Fault('logUnavailable', `this machine has no output of attempt ${key.attempt}`);
  }
  return {
    read(key, query, signal) {
      const layout = find(key);
      return layout === null ? readNothing() : readLog(layout, query, { signal, logBytes });
    },
    async tail(key, lines) {
      const layout = find(key);
      return layout === null ? { stdout: 0, stderr: 0 } : await findTails(layout, lines, logBytes);
    },
  };
}

async function* readNothing(): AsyncGenerator<LogPiece, void> {}

async function findTails(layout: AttemptLayout, lines: number, logBytes: number): Promise<LogOffsets> {
  const offsets = { stdout: 0, stderr: 0 };
  for (const stream of ['stdout', 'stderr'] as const) {
    const file = new OutputFile(layout[stream], stream, { limit: logBytes, offset: 0 });
    try {
      offsets[stream] = await file.seek(lines);
    } finally {
      await file.close();
    }
  }
  return offsets;
}

const BEGINNING: LogOffsets = { stdout: 0, stderr: 0 };

interface ReadOptions {
  readonly signal: AbortSignal;
  readonly logBytes: number;
}

/** With both streams and a `tail`, that many lines of each: the files do not tell which line came first. */
async function* readLog(layout: AttemptLayout, query: LogQuery, options: ReadOptions): AsyncGenerator<LogPiece, void> {
  const { signal, logBytes: limit } = options;
  const { tail, from = BEGINNING } = query;
  const streams: Stream[] = query.stream === 'both' ? ['stdout', 'stderr'] : [query.stream];
  const files = streams.map((stream) => new OutputFile(layout[stream], stream, { limit, offset: from[stream] }));
  const changes = query.follow ? new Changes(layout.root, signal) : null;
  try {
    if (tail !== null && query.from === undefined) for (const file of files) await file.seek(tail);
    for (;;) {
      // Before the reading: what is written before the end is read after it was seen.
      const ended = hasEnded(layout);
      for (const file of files) yield* file.rest(signal);
      if (signal.aborted || changes === null || ended) return;
      await changes.next();
    }
  } finally {
    changes?.close();
    for (const file of files) await file.close();
  }
}

function hasEnded(layout: AttemptLayout): boolean {
  return existsSync(layout.outcome) || existsSync(layout.forgotten) || !existsSync(layout.root);
}

class OutputFile {
  readonly #path: string;
  readonly #stream: Stream;
  readonly #limit: number;
  #handle: FileHandle | null = null;
  #offset: number;

  constructor(path: string, stream: Stream, options: { readonly limit: number; readonly offset: number }) {
    this.#path = path;
    this.#stream = stream;
    this.#limit = options.limit;
    this.#offset = options.offset;
  }

  /** @returns where the last lines begin, which is what is read next */
  async seek(lines: number): Promise<number> {
    const size = await this.#size();
    if (this.#handle !== null) this.#offset = await findTail(this.#handle, size, lines);
    return this.#offset;
  }

  /** All that is there now. */
  async *rest(signal: AbortSignal): AsyncGenerator<LogPiece, void> {
    const size = await this.#size();
    // The job emptied it, as `> /dev/stdout` does: what follows is new.
    if (size < this.#offset) this.#offset = 0;
    while (this.#offset < size && !signal.aborted && this.#handle !== null) {
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - this.#offset));
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0 || (await this.#isOfAnother())) return;
      const offset = this.#offset;
      this.#offset += bytesRead;
      yield { stream: this.#stream, at: new Date().toISOString(), data: buffer.subarray(0, bytesRead), offset };
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }

  /**
   * The attempt has ended without output, and another one writes into its file. Asked after the reading, so that
   * nothing of the other is told; a file that is gone because it was kept for long enough has no name any more.
   */
  async #isOfAnother(): Promise<boolean> {
    return !existsSync(this.#path) && (await this.#handle?.stat())?.nlink !== 0;
  }

  /** A job that never started has no file. */
  async #size(): Promise<number> {
    try {
      this.#handle ??= await open(this.#path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw new Fault('diskFailed', 'the output cannot be opened', { cause: error });
    }
    const { size } = await this.#handle.stat();
    return Math.min(size, this.#limit);
  }
}

/** Wakes up at a change in a folder, at the poll time, or at the abort. */
class Changes {
  readonly #watcher: ReturnType<typeof watch> | null;
  readonly #signal: AbortSignal;
  #changed = false;
  #wake: (() => void) | null = null;

  constructor(folder: string, signal: AbortSignal) {
    this.#signal = signal;
    this.#watcher = this.#watch(folder);
    signal.addEventListener('abort', this.#notice);
  }

  async next(): Promise<void> {
    if (!this.#changed && !this.#signal.aborted) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, this.#watcher === null ? POLL_MS : WATCHED_POLL_MS);
      });
      clearTimeout(timer);
      this.#wake = null;
    }
    this.#changed = false;
  }

  close(): void {
    this.#watcher?.close();
    this.#signal.removeEventListener('abort', this.#notice);
  }

  readonly #notice = (): void => {
    this.#changed = true;
    this.#wake?.();
  };

  /** Null where there are no watches on what is in a folder, or no more of them. */
  #watch(folder: string): ReturnType<typeof watch> | null {
    if (process.platform !== 'linux') return null;
    try {
      const watcher = watch(folder, { persistent: false }, this.#notice);
      watcher.on('error', () => watcher.close());
      return watcher;
    } catch {
      return null;
    }
  }
}
