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
import type { LogReader } from './ports.ts';
import { isInSilentList } from './silent-list.ts';

const CHUNK_BYTES = 64 * 1024;
/** Where the system does not tell of changes. */
const POLL_MS = 50;
/** Where it does, and should it once fail to. */
const WATCHED_POLL_MS = 1_000;

type Stream = LogEvent['stream'];
type LogQuery = Parameters<LogReader['read']>[1];

export interface LogReaderOptions {
  /** What the runner cuts outputs at. */
  readonly logBytes?: number;
}

export function createLogReader(dataDir: string, { logBytes = LIMITS.logBytes }: LogReaderOptions = {}): LogReader {
  const { attempts, silentList } = runnerLayout(runnerRoot(resolve(dataDir)));
  return {
    read(key, query, signal) {
      if (!isAttemptKey(key)) throw new Fault('logUnavailable', 'no attempt has such a name');
      const layout = attemptLayout(attempts, key);
      if (existsSync(layout.root)) return readLog(layout, query, { signal, logBytes });
      if (isInSilentList(silentList, key)) return readNothing();
      throw new Fault('logUnavailable', `this machine has no output of attempt ${key.attempt}`);
    },
  };
}

async function* readNothing(): AsyncGenerator<LogEvent, void> {}

interface ReadOptions {
  readonly signal: AbortSignal;
  readonly logBytes: number;
}

/** With both streams and a `tail`, that many lines of each: the files do not tell which line came first. */
async function* readLog(layout: AttemptLayout, query: LogQuery, options: ReadOptions): AsyncGenerator<LogEvent, void> {
  const { signal } = options;
  const streams: Stream[] = query.stream === 'both' ? ['stdout', 'stderr'] : [query.stream];
  const files = streams.map((stream) => new OutputFile(layout[stream], stream, options.logBytes));
  const changes = query.follow ? new Changes(layout.root, signal) : null;
  try {
    for (const file of files) await file.seek(query.tail);
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
  #offset = 0;

  constructor(path: string, stream: Stream, limit: number) {
    this.#path = path;
    this.#stream = stream;
    this.#limit = limit;
  }

  async seek(tail: number | null): Promise<void> {
    const size = await this.#size();
    if (tail !== null && this.#handle !== null) this.#offset = await findTail(this.#handle, size, tail);
  }

  /** All that is there now. */
  async *rest(signal: AbortSignal): AsyncGenerator<LogEvent, void> {
    const size = await this.#size();
    // The job emptied it, as `> /dev/stdout` does: what follows is new.
    if (size < this.#offset) this.#offset = 0;
    while (this.#offset < size && !signal.aborted && this.#handle !== null) {
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - this.#offset));
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0 || (await this.#isOfAnother())) return;
      this.#offset += bytesRead;
      yield { stream: this.#stream, at: new Date().toISOString(), data: buffer.subarray(0, bytesRead) };
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
