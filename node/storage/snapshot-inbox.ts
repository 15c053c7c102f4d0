import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../src/errors.ts';
import type { Index } from '../../raft/types.ts';
import { readDump } from './dump-codec.ts';
import type { Row, StateDatabase } from './state-database.ts';
import { encodeApplied, flushDatabase, openStateDatabase } from './state-database.ts';
import { findLiveState, nextState, offerState, removeOtherStates, switchState, withdrawState } from './state-folder.ts';
import { encodeIndexVersion, indexRowsOfAll } from './state-index.ts';
import { APPLIED_KEY, INDEX_VERSION_KEY, tableOf } from './state-keys.ts';
import { openStateFolder } from './state-store.ts';
import type { ReceivedSnapshot, SnapshotInbox } from './ports.ts';
import { storageError } from './storage-error.ts';

/**
 * Receives snapshots beside the state that counts below `parent`. One at a time: another is refused as `overloaded`
 * until the one before is installed or discarded.
 */
export function createSnapshotInbox(parent: string): SnapshotInbox {
  let state: 'empty' | 'taken' = 'empty';

  async function release(folder: string): Promise<void> {
    await withdrawState(parent);
    await rm(folder, { recursive: true, force: true });
    state = 'empty';
  }

  async function receive(chunks: AsyncIterable<Uint8Array>): Promise<ReceivedSnapshot> {
    const live = await findLiveState(parent);
    const name = nextState(live);
    const folder = join(parent, name);
    try {
      await rm(folder, { recursive: true, force: true });
      const applied = await writeState(folder, chunks);
      await offerState(parent, name, applied);
      return received(name, applied);
    } catch (error) {
      await release(folder);
      throw storageError(error, `receiving a snapshot into ${folder}`);
    }
  }

  function received(name: string, applied: Index): ReceivedSnapshot {
    const folder = join(parent, name);
    return {
      applied,
      async install() {
        try {
          await switchState(parent, name);
          await withdrawState(parent);
          await removeOtherStates(parent, name);
          state = 'empty';
          return await openStateFolder(folder);
        } catch (error) {
          throw storageError(error, `installing a snapshot in ${parent}`);
        }
      },
      discard: () => release(folder),
    };
  }

  return {
    async receive(chunks) {
      if (state === 'taken') throw new Fault('overloaded', 'another snapshot is being received');
      state = 'taken';
      try {
        return await receive(chunks);
      } catch (error) {
        state = 'empty';
        throw error;
      }
    },
  };
}

/** Writes a dump as a database, checks it to its end and makes it durable. */
async function writeState(folder: string, chunks: AsyncIterable<Uint8Array>): Promise<Index> {
  const { applied, frames } = await readDump(chunks);
  const database = await openStateDatabase(folder);
  try {
    for await (const rows of frames) await writeRows(database, rows);
    await database.put(INDEX_VERSION_KEY, encodeIndexVersion());
    await database.put(APPLIED_KEY, encodeApplied(applied));
    await flushDatabase(database);
  } finally {
    await database.close();
  }
  return applied;
}

async function writeRows(database: StateDatabase, rows: readonly Row[]): Promise<void> {
  for (const [key] of rows) {
    if (tableOf(key) === null) throw new Fault('corrupt', 'the snapshot holds a key of no table');
  }
  const records = rows.map(([key, value]) => ({ key, value }));
  await database.batch([...records, ...indexRowsOfAll(rows)].map((row) => ({ type: 'put', ...row })));
}
