import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { restore } from '../../../node/recovery/restore.ts';
import { encodeBackup } from '../../../node/storage/backup-codec.ts';
import { openDataFolder } from '../../../node/storage/data-folder.ts';
import { openLogStore } from '../../../node/storage/log-store.ts';
import { openStateStore } from '../../../node/storage/state-store.ts';
import { meta } from '../storage/log-builders.ts';
import { collect, jobId, jobRecord } from '../storage/state-builders.ts';
import { tempFolder } from '../storage/temp-folder.ts';

/** A backup at 10, of one job. */
async function setUp() {
  const base = await tempFolder();
  const state = await openStateStore(join(base, 'source'));
  await state.write([jobRecord(jobId(1), 'queued')], 10);
  const dump = await state.dump();
  const head = { clusterId: 'c', node: 'n', version: '1', madeAt: '2030-01-01T00:00:00Z', snapshot: meta(10) };
  const bytes = Buffer.concat(await collect(encodeBackup(head, dump.chunks)));
  await dump.close();
  await state.close();
  const file = join(base, 'backup');
  await writeFile(file, bytes);
  return { base, file, bytes, dataDir: join(base, 'new', 'data') };
}

describe('a restore', () => {
  test('makes the folder of the only voter of a new cluster', async () => {
    const { file, dataDir } = await setUp();
    await mkdir(dataDir, { recursive: true });
    const { clusterId, nodeId } = await restore(file, dataDir);
    const folder = await openDataFolder(dataDir);
    expect(folder.format).toMatchObject({ clusterId, nodeId });
    const log = await openLogStore(folder.parts.log, { expected: 'existing' });
    expect(log.loaded.snapshot).toMatchObject({ index: 10, configuration: { voters: [nodeId], learners: [] } });
    expect(log.loaded.entries.map(({ index, kind }) => [index, kind])).toEqual([
      [11, 'configuration'],
      [12, 'data'],
    ]);
    const state = await openStateStore(folder.parts.state, 10);
    expect(state.applied).toBe(10);
    expect(await state.get('job', jobId(1))).toMatchObject({ state: 'queued' });
    for (const part of [state, log, folder]) await part.close();
    expect(await readdir(join(dataDir, '..'))).toEqual(['data']);
  });

  test('is refused for a file that is not there and for a folder with something in it', async () => {
    const { base, file, dataDir } = await setUp();
    await expect(restore(join(base, 'none'), dataDir)).rejects.toMatchObject({ code: 'notFound' });
    await expect(restore(file, base)).rejects.toMatchObject({ code: 'conflict', message: /not empty/ });
    expect((await readdir(base)).toSorted()).toEqual(['backup', 'source']);
  });

  test('leaves nothing behind when the backup is damaged', async () => {
    const { file, bytes, dataDir } = await setUp();
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(file, bytes);
    await expect(restore(file, dataDir)).rejects.toMatchObject({ code: 'corrupt' });
    expect(await readdir(join(dataDir, '..'))).toEqual([]);
  });

  test('takes away what one that was killed left', async () => {
    const { file, dataDir } = await setUp();
    const left = await openDataFolder(`${dataDir}.restoring`);
    await left.bindCluster('halfway');
    await left.close();
    const { clusterId } = await restore(file, dataDir);
    const folder = await openDataFolder(dataDir);
    expect(folder.format.clusterId).toBe(clusterId);
    await folder.close();
  });

  test('is refused while another one makes the same folder, and does not touch what that has', async () => {
    const { file, dataDir } = await setUp();
    const other = await openDataFolder(`${dataDir}.restoring`);
    await writeFile(join(other.path, 'half'), '');
    await expect(restore(file, dataDir)).rejects.toMatchObject({ code: 'conflict' });
    expect(await readdir(other.path)).toContain('half');
    await other.close();
  });

  test('of two at once one makes the folder, and it is whole', async () => {
    const { file, dataDir } = await setUp();
    const outcomes = await Promise.allSettled([restore(file, dataDir), restore(file, dataDir)]);
    const made = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.clusterId] : []));
    expect(made).toHaveLength(1);
    const folder = await openDataFolder(dataDir);
    expect(folder.format.clusterId).toBe(made[0]);
    const log = await openLogStore(folder.parts.log, { expected: 'existing' });
    await log.close();
    await folder.close();
  });
});
