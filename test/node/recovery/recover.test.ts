import { chown, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadNodeKey, nodeIdOf } from '../../../node/p2p/identity.ts';
import { openSurvivor } from '../../../node/recovery/recover.ts';
import { openDataFolder } from '../../../node/storage/data-folder.ts';
import { openLogStore } from '../../../node/storage/log-store.ts';
import { openStateStore } from '../../../node/storage/state-store.ts';
import type { Entry, NodeId } from '../../../raft/types.ts';
import { decodeEntry } from '../../../src/state/codec.ts';
import { configuration, data, hardState, meta, request } from '../storage/log-builders.ts';
import { tempFolder } from '../storage/temp-folder.ts';

/** The folder of one of two voters, whose log begins behind a snapshot at 10 and ends at 12. */
async function survivorFolder(): Promise<{ readonly path: string; readonly nodeId: NodeId }> {
  const path = join(await tempFolder(), 'data');
  const folder = await openDataFolder(path);
  const nodeId = nodeIdOf(await loadNodeKey(folder));
  await folder.bindCluster('cluster');
  await folder.bindNode(nodeId);
  await folder.writeSecret('removed.json', '{}');
  await folder.writeSecret('introduction.json', '[]');
  const log = await openLogStore(folder.parts.log);
  const snapshot = { ...meta(10), configuration: configuration(nodeId, 'other') };
  await log.persist(request({ hardState: hardState(3, 10), snapshot }));
  await log.persist(request({ entries: [data(11, 2), data(12, 2)] }));
  await log.close();
  const state = await openStateStore(folder.parts.state);
  await state.write([], 11);
  await state.close();
  await folder.close();
  return { path, nodeId };
}

async function logOf(path: string) {
  const folder = await openDataFolder(path);
  const log = await openLogStore(folder.parts.log);
  const { hardState: kept, entries } = log.loaded;
  const secrets = await Promise.all((['removed.json', 'introduction.json'] as const).map(folder.readSecret));
  await log.close();
  await folder.close();
  return { format: folder.format, kept, entries, secrets };
}

async function recover(path: string): Promise<string> {
  const survivor = await openSurvivor(path);
  try {
    return await survivor.recover();
  } finally {
    await survivor.close();
  }
}

function refoundings(entries: readonly Entry[]): unknown[] {
  const written = entries.flatMap((entry) => (entry.index > 12 && entry.kind === 'data' ? [entry.data] : []));
  return written.flatMap((bytes) => decodeEntry(bytes).proposals.flatMap(({ commands }) => commands));
}

describe('a recovery', () => {
  test('goes on with the whole log as another cluster, whose only voter is the same node', async () => {
    const { path, nodeId } = await survivorFolder();
    const clusterId = await recover(path);
    const { format, kept, entries, secrets } = await logOf(path);
    expect(format).toMatchObject({ clusterId, nodeId });
    expect(kept).toEqual({ term: 4, vote: nodeId, commit: 10 });
    expect(entries.map(({ index, term, kind }) => [index, term, kind])).toEqual([
      [11, 2, 'data'],
      [12, 2, 'data'],
      [13, 4, 'configuration'],
      [14, 4, 'data'],
    ]);
    expect(entries[2]).toMatchObject({ configuration: configuration(nodeId) });
    expect(refoundings(entries)).toEqual([{ kind: 'refoundCluster', clusterId, keep: nodeId }]);
    expect(secrets).toEqual([null, null]);
  });

  test('changes nothing before it is asked to, and can be made again', async () => {
    const { path } = await survivorFolder();
    const before = await logOf(path);
    const survivor = await openSurvivor(path);
    expect(survivor).toMatchObject({ lastIndex: 12, lastTerm: 2, commitIndex: 10, clusterId: 'cluster' });
    await survivor.close();
    expect(await logOf(path)).toEqual(before);
    await recover(path);
    const clusterId = await recover(path);
    const { format, entries } = await logOf(path);
    expect(format.clusterId).toBe(clusterId);
    expect(refoundings(entries).at(-1)).toMatchObject({ clusterId });
  });

  test('that was cut short before the log was written still needs one, with the other id', async () => {
    const { path, nodeId } = await survivorFolder();
    const folder = await openDataFolder(path);
    await folder.rebind('halfway', nodeId);
    await folder.close();
    const clusterId = await recover(path);
    expect(await logOf(path)).toMatchObject({ format: { clusterId, nodeId }, kept: { term: 4, vote: nodeId } });
  });

  test('is refused where the state is gone that the log begins behind', async () => {
    const { path } = await survivorFolder();
    await rm(join(path, 'state'), { recursive: true });
    const before = await logOf(path);
    await expect(openSurvivor(path)).rejects.toMatchObject({ code: 'corrupt', message: /another data folder/ });
    expect(await logOf(path)).toEqual(before);
  });

  test.runIf(process.getuid?.() === 0)('is refused for the folder of another user', async () => {
    const { path } = await survivorFolder();
    await chown(join(path, 'format.json'), 12345, 12345);
    await expect(openSurvivor(path)).rejects.toMatchObject({ code: 'forbidden', message: /user 12345/ });
  });
});
