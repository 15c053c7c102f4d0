import { Fault } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Replica } from '../replica/replica.ts';
import { encodeBackup } from '../storage/backup-codec.ts';

export interface BackupServiceDependencies {
  readonly self: NodeId;
  readonly replica: Pick<Replica, 'barrier' | 'state' | 'applier' | 'consensus'>;
  readonly version: string;
}

/** Backups of the replicated state while the node runs. */
export class BackupService {
  readonly #parts: BackupServiceDependencies;
  /** A frozen view keeps what is overwritten since on the disk, so a second one waits. */
  #state: 'idle' | 'streaming' = 'idle';

  constructor(dependencies: BackupServiceDependencies) {
    this.#parts = dependencies;
  }

  /** With everything that was acknowledged before the call. @throws Fault `overloaded`, `noLeader` */
  async make(): Promise<AsyncIterable<Uint8Array>> {
    if (this.#state === 'streaming') throw new Fault('overloaded', 'another backup is being made at this node');
    await this.#parts.replica.barrier();
    return this.#stream();
  }

  async *#stream(): AsyncGenerator<Uint8Array, void> {
    if (this.#state === 'streaming') throw new Fault('overloaded', 'another backup is being made at this node');
    this.#state = 'streaming';
    try {
      yield* this.#bytes();
    } finally {
      this.#state = 'idle';
    }
  }

  async *#bytes(): AsyncGenerator<Uint8Array, void> {
    const { self, replica, version } = this.#parts;
    const dump = await replica.applier.read((store) => store.dump());
    try {
      const head = {
        clusterId: replica.state.cluster?.clusterId ?? '',
        node: self,
        version,
        madeAt: new Date().toISOString(),
        snapshot: replica.consensus.snapshotMeta(dump.applied),
      };
      yield* encodeBackup(head, dump.chunks);
    } finally {
      await dump.close();
    }
  }
}
