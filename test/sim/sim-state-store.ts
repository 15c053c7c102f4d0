import { encodeDump, readDump } from '../../node/storage/dump-codec.ts';
import type { JobsAmong, KeptJob, ReceivedSnapshot, SnapshotInbox, StateStore } from '../../node/storage/ports.ts';
import { FINAL_JOB_LETTER, TABLE_LETTERS, tableOf } from '../../node/storage/state-keys.ts';
import { Fault } from '../../src/errors.ts';
import { type FinalJob, isFinal, type Job } from '../../src/jobs/job.ts';
import { keptUntil } from '../../src/jobs/retention.ts';
import { decodeRecord } from '../../src/state/codec.ts';
import type { StateRecord, StateTable } from '../../src/state/records.ts';
import type { EventLoop, Owner } from './event-loop.ts';
import { isAmong } from '../node/storage/state-model.ts';
import type { SimDisk } from './sim-disk.ts';
import { StateImage } from './state-image.ts';

interface Waiting {
  readonly records: readonly StateRecord[];
  readonly applied: number;
  resolve(): void;
  reject(error: Error): void;
}

export interface StateWatch {
  /** The database holds exactly what was applied up to its index. */
  written(image: StateImage): void;
}

export interface DiskParts {
  readonly disk: SimDisk;
  readonly loop: EventLoop;
  readonly owner: Owner;
  readonly watch: StateWatch;
}

/** The state's store on a simulated disk: writes are not synced until a flush. */
export class SimStateStore implements StateStore {
  readonly #parts: DiskParts;
  readonly #image: StateImage;
  readonly #unwritten = new Map<string, StateRecord>();
  #waiting: Waiting[] = [];
  #lastWrite: Promise<void> = Promise.resolve();
  #writing: Promise<void> | null = null;
  #ended: Error | null = null;

  constructor(parts: DiskParts, image: StateImage) {
    this.#parts = parts;
    this.#image = image;
  }

  get applied(): number {
    return this.#image.applied;
  }

  async *load(): AsyncIterable<readonly StateRecord[]> {
    await this.#settled();
    const keys = [...this.#image.rows.keys()].filter((key) => !key.startsWith(FINAL_JOB_LETTER)).toSorted();
    for (const key of keys) yield [recordOf(key, this.#image.rows.get(key))];
  }

  write(records: readonly StateRecord[], applied: number): Promise<void> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    for (const record of records) this.#unwritten.set(nameOf(record.table, record.key), record);
    this.#lastWrite = new Promise((resolve, reject) => {
      this.#waiting.push({ records, applied, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
    return this.#lastWrite;
  }

  async get<Table extends StateTable>(table: Table, key: string): Promise<StateRecord<Table>['value']> {
    if (this.#ended !== null) throw this.#ended;
    const newest = this.#unwritten.get(nameOf(table, key));
    if (newest !== undefined) return newest.value as never;
    const { rows } = this.#image;
    const keys = [TABLE_LETTERS[table] + key, ...(table === 'job' ? [FINAL_JOB_LETTER + key] : [])];
    const found = keys.map((at) => rows.get(at)).find((value) => value !== undefined);
    return found === undefined ? null : (decodeRecord(table, found) as never);
  }

  async *jobs(before: string | null): AsyncIterable<Job> {
    await this.#settled();
    const letters = [TABLE_LETTERS.job, FINAL_JOB_LETTER];
    const keys = [...this.#image.rows.keys()].filter((key) => letters.includes(key.charAt(0)));
    const newestFirst = keys.toSorted((left, right) => (left.slice(1) < right.slice(1) ? 1 : -1));
    for (const key of newestFirst) {
      const value = this.#image.rows.get(key);
      if (value !== undefined && (before === null || key.slice(1) < before)) yield decodeRecord('job', value);
    }
  }

  async *jobsAmong(among: JobsAmong, before: string | null): AsyncIterable<Job> {
    for await (const job of this.jobs(before)) if (isAmong(job, among)) yield job;
  }

  async *liveJobs(before: string | null): AsyncIterable<Job> {
    for await (const job of this.jobs(before)) if (!isFinal(job)) yield job;
  }

  async firstToGo(limit: number): Promise<readonly KeptJob[]> {
    await this.#settled();
    const kept = this.#finalJobs().map((job) => ({ id: job.id, index: job.index, until: keptUntil(job) }));
    return kept.toSorted((a, b) => a.until - b.until || (a.id < b.id ? -1 : 1)).slice(0, limit);
  }

  async countFinal(): Promise<number> {
    await this.#settled();
    return this.#finalJobs().length;
  }

  #finalJobs(): FinalJob[] {
    const rows = [...this.#image.rows].filter(([key]) => key.startsWith(FINAL_JOB_LETTER));
    return rows.map(([, value]) => decodeRecord('job', value)).filter(isFinal);
  }

  async flush(): Promise<void> {
    await this.#settled();
    await this.#pass('sync');
    if (this.#ended !== null) throw this.#ended;
    this.#image.flush();
  }

  async dump(): ReturnType<StateStore['dump']> {
    await this.#settled();
    const { applied } = this.#image;
    const frozen = [...this.#image.rows].toSorted(([left], [right]) => (left < right ? -1 : 1));
    const rows = async function* (): AsyncIterable<[string, Uint8Array]> {
      yield* frozen;
    };
    return { applied, chunks: encodeDump(applied, rows()), close: async () => undefined };
  }

  async close(): Promise<void> {
    this.#ended ??= new Fault('stopping', 'the state is closed');
    await this.#writing;
  }

  async #settled(): Promise<void> {
    await this.#lastWrite;
    if (this.#ended !== null) throw this.#ended;
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0);
      await this.#pass('write');
      this.#finish(group);
    }
    this.#writing = null;
  }

  /** A record that changed several times within the group is written once. */
  #finish(group: readonly Waiting[]): void {
    const { disk, watch } = this.#parts;
    if (disk.trouble === 'diskFull') {
      this.#ended ??= new Fault('diskFull', 'the simulated disk is full');
      for (const { reject } of [...group, ...this.#waiting.splice(0)]) reject(this.#ended);
      return;
    }
    const changed = new Map<string, StateRecord>();
    for (const { records } of group)
      for (const record of records) changed.set(nameOf(record.table, record.key), record);
    this.#image.write([...changed.values()], group.at(-1)?.applied ?? this.#image.applied);
    watch.written(this.#image);
    for (const [name, record] of changed) if (this.#unwritten.get(name) === record) this.#unwritten.delete(name);
    for (const { resolve } of group) resolve();
  }

  #pass(kind: 'sync' | 'write'): Promise<void> {
    const { disk, loop, owner } = this.#parts;
    return new Promise((resolve) => loop.in(disk.delay(loop.now, kind), owner, resolve));
  }
}

/** Received snapshots beside the state that counts; one at a time. */
export class SimSnapshotInbox implements SnapshotInbox {
  readonly #parts: DiskParts;
  #state: 'empty' | 'taken' = 'empty';

  constructor(parts: DiskParts) {
    this.#parts = parts;
  }

  async receive(chunks: AsyncIterable<Uint8Array>): Promise<ReceivedSnapshot> {
    if (this.#state === 'taken') throw new Fault('overloaded', 'another snapshot is being received');
    this.#state = 'taken';
    try {
      const image = await this.#read(chunks);
      await this.#pass();
      if (this.#parts.disk.trouble === 'diskFull') throw new Fault('diskFull', 'the simulated disk is full');
      this.#parts.disk.offer = image;
      return this.#received(image);
    } catch (error) {
      this.#state = 'empty';
      throw error;
    }
  }

  async #read(chunks: AsyncIterable<Uint8Array>): Promise<StateImage> {
    const { applied, frames } = await readDump(chunks);
    const image = new StateImage();
    for await (const rows of frames) for (const [key, value] of rows) image.put(key, new Uint8Array(value));
    image.applied = applied;
    return image;
  }

  #received(image: StateImage): ReceivedSnapshot {
    const { disk, watch } = this.#parts;
    return {
      applied: image.applied,
      install: async () => {
        await this.#pass();
        disk.state = image;
        disk.offer = null;
        this.#state = 'empty';
        watch.written(image);
        return new SimStateStore(this.#parts, image);
      },
      discard: async () => {
        await this.#pass();
        disk.offer = null;
        this.#state = 'empty';
      },
    };
  }

  #pass(): Promise<void> {
    const { disk, loop, owner } = this.#parts;
    return new Promise((resolve) => loop.in(disk.delay(loop.now, 'sync'), owner, resolve));
  }
}

function nameOf(table: StateTable, key: string): string {
  return TABLE_LETTERS[table] + key;
}

function recordOf(key: string, value: Uint8Array | undefined): StateRecord {
  const table = tableOf(key);
  if (table === null || value === undefined) throw new Fault('corrupt', `a key of no table: ${key}`);
  return { table, key: key.slice(1), value: decodeRecord(table, value) } as unknown as StateRecord;
}
