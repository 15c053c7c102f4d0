import type { LogWrite } from '../../node/storage/log-plan.ts';
import type { LogStore } from '../../node/storage/ports.ts';
import type { PersistRequest } from '../../raft/effects.ts';
import type { Entry, SnapshotMeta } from '../../raft/types.ts';
import { Fault } from '../../src/errors.ts';
import type { EventLoop, Owner } from './event-loop.ts';
import type { LogImage } from './log-image.ts';
import type { SimDisk } from './sim-disk.ts';

interface Waiting {
  readonly write: LogWrite;
  resolve(): void;
  reject(error: Error): void;
}

export interface LogWatch {
  /** Before anything of it is in memory or durable. */
  asked(request: PersistRequest, memory: LogImage): void;
}

/** The log's store on a simulated disk: group commit, one sync at a time, closed for good by a failure. */
export class SimLogStore implements LogStore {
  loaded: LogStore['loaded'];
  /** What the core believes of its log, with everything that it asked for. */
  readonly memory: LogImage;
  readonly #disk: SimDisk;
  readonly #loop: EventLoop;
  readonly #owner: Owner;
  readonly #watch: LogWatch;
  #waiting: Waiting[] = [];
  #group: readonly Waiting[] | null = null;
  #writing: Promise<void> | null = null;
  #ended: Error | null = null;

  /** @throws Fault `corrupt` */
  constructor(disk: SimDisk, loop: EventLoop, owner: Owner, watch: LogWatch) {
    const { hardState, snapshot } = disk.log;
    this.loaded = { hardState, snapshot, entries: disk.readLog() };
    this.memory = disk.log.copy();
    this.#disk = disk;
    this.#loop = loop;
    this.#owner = owner;
    this.#watch = watch;
  }

  forgetEntries(): void {
    this.loaded = { ...this.loaded, entries: [] };
  }

  persist(request: PersistRequest): Promise<void> {
    this.#watch.asked(request, this.memory);
    this.memory.apply([{ kind: 'persist', request }]);
    return this.#ask({ kind: 'persist', request });
  }

  compact(meta: SnapshotMeta): Promise<void> {
    this.memory.apply([{ kind: 'compact', meta }]);
    return this.#ask({ kind: 'compact', meta });
  }

  onSync(): void {}

  async close(): Promise<void> {
    this.#ended ??= new Fault('stopping', 'the log is closed');
    await this.#writing;
  }

  /** The power goes: the batch under way is there as a whole, or not at all, whatever the disk holds of its bytes. */
  crash(): 'nothing' | 'lost' | 'kept' | 'torn' | 'flipped' {
    this.#ended ??= new Fault('stopping', 'the machine is off');
    const group = this.#group;
    if (group === null) return 'nothing';
    const roll = this.#disk.chance.float();
    if (roll < 0.3) {
      this.#write(group);
      return 'kept';
    }
    // Writes of one group may overlap, where a later one truncates: the last is torn.
    const torn = group.map(({ write }) => entriesOf(write)).findLast((entries) => entries.length > 0);
    return roll < 0.6 ? 'lost' : this.#disk.tear(torn ?? []);
  }

  #ask(write: LogWrite): Promise<void> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      this.#group = this.#waiting.splice(0);
      await new Promise<void>((resolve) =>
        this.#loop.in(this.#disk.delay(this.#loop.now, 'sync'), this.#owner, resolve),
      );
      this.#finish(this.#group);
    }
    this.#writing = null;
  }

  #finish(group: readonly Waiting[]): void {
    this.#group = null;
    const { trouble } = this.#disk;
    if (trouble !== 'none') {
      // After a failed sync nobody knows what is on the disk.
      if (trouble === 'diskFailed' && this.#disk.chance.happens(0.5)) this.#write(group);
      this.#fail(group, new Fault(trouble, 'the simulated disk failed'));
      return;
    }
    this.#write(group);
    for (const { resolve } of group) resolve();
  }

  #write(group: readonly Waiting[]): void {
    this.#disk.log.apply(group.map(({ write }) => write));
    this.#disk.checkCut();
  }

  #fail(group: readonly Waiting[], failure: Error): void {
    this.#ended ??= failure;
    for (const { reject } of [...group, ...this.#waiting.splice(0)]) reject(failure);
  }
}

function entriesOf(write: LogWrite): readonly Entry[] {
  return write.kind === 'persist' ? write.request.entries : [];
}
