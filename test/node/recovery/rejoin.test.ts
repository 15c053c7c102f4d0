import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createNodeKey, loadNodeKey, nodeIdOf, signAs } from '../../../node/p2p/identity.ts';
import { encodeJoinToken } from '../../../node/p2p/join-token.ts';
import { pendingRejoin, prepareRejoin } from '../../../node/recovery/rejoin.ts';
import { checkSuccession, successionText } from '../../../node/recovery/succession.ts';
import { openDataFolder } from '../../../node/storage/data-folder.ts';
import type { NodeId, TokenId } from '../../../src/ids.ts';
import { tempFolder } from '../storage/temp-folder.ts';

const KEY = Buffer.alloc(32, 7);

function tokenOf(clusterId = 'cluster', key = KEY, secret = 'secret'): string {
  const expiresAt = Date.now() + 60_000;
  return encodeJoinToken({ clusterId, key, addresses: ['127.0.0.1:1'], id: 'id' as TokenId, secret, expiresAt });
}

/** The folder of a node that has a log and a state. */
async function nodeFolder(): Promise<{ readonly path: string; readonly nodeId: NodeId }> {
  const path = join(await tempFolder(), 'data');
  const folder = await openDataFolder(path);
  const nodeId = nodeIdOf(await loadNodeKey(folder));
  await folder.writeSecret('cluster.key', KEY.toString('base64url'));
  await folder.writeSecret('introduction.json', '[]');
  await folder.bindCluster('cluster');
  await folder.bindNode(nodeId);
  for (const part of ['log', 'state']) {
    await mkdir(join(path, part));
    await writeFile(join(path, part, 'content'), part);
  }
  await folder.close();
  return { path, nodeId };
}

async function idIn(path: string): Promise<NodeId> {
  const folder = await openDataFolder(path);
  try {
    return nodeIdOf(await loadNodeKey(folder));
  } finally {
    await folder.close();
  }
}

describe('a rejoin', () => {
  test('sets aside what was there, keeps the cluster key and makes a new identity that the old one vouches for', async () => {
    const { path, nodeId: before } = await nodeFolder();
    const { former, nodeId, aside } = await prepareRejoin(path, tokenOf());
    expect([former, await idIn(path)]).toEqual([before, nodeId]);
    expect(nodeId).not.toBe(before);
    expect((await readdir(aside)).toSorted()).toEqual(['introduction.json', 'log', 'node.key', 'state']);
    expect(await readFile(join(aside, 'log', 'content'), 'utf8')).toBe('log');
    expect(await readdir(path)).not.toContain('log');
    const folder = await openDataFolder(path);
    expect(folder.format).toMatchObject({ clusterId: 'cluster', nodeId: null });
    expect(await folder.readSecret('cluster.key')).toBe(KEY.toString('base64url'));
    const pending = await pendingRejoin(folder);
    expect(pending?.token.secret).toBe('secret');
    await checkSuccession(pending!.succession!, 'cluster', nodeId);
    await folder.close();
  });

  test('that was cut short at any step is finished by the next start, never with the old id and no log', async () => {
    const { path, nodeId: before } = await nodeFolder();
    const whole = join(path, '..', 'whole');
    await cp(path, whole, { recursive: true });
    const { nodeId } = await prepareRejoin(path, tokenOf());
    const decided = await readFile(join(path, 'rejoin.json'));
    const moved = ['log', 'state', 'introduction.json'];
    for (let steps = 0; steps <= moved.length; steps++) {
      const crashed = join(path, '..', `crashed-${steps}`);
      await cp(whole, crashed, { recursive: true });
      await writeFile(join(crashed, 'rejoin.json'), decided);
      const aside = join(crashed, 'aside-1');
      await mkdir(aside);
      for (const name of moved.slice(0, steps)) {
        await cp(join(crashed, name), join(aside, name), { recursive: true });
        await rm(join(crashed, name), { recursive: true });
      }
      expect(await idIn(crashed)).toBe(before);
      const folder = await openDataFolder(crashed);
      await pendingRejoin(folder);
      await folder.close();
      expect(await idIn(crashed)).toBe(nodeId);
      expect((await readdir(aside)).toSorted()).toEqual(['introduction.json', 'log', 'node.key', 'state']);
      expect(await readdir(crashed)).not.toContain('log');
    }
  });

  test('that cannot set everything aside does not go on to the new identity', async () => {
    const { path, nodeId: before } = await nodeFolder();
    const whole = join(path, '..', 'whole');
    await cp(path, whole, { recursive: true });
    await prepareRejoin(path, tokenOf());
    await cp(join(path, 'rejoin.json'), join(whole, 'rejoin.json'));
    await mkdir(join(whole, 'aside-1', 'state', 'in the way'), { recursive: true });
    const folder = await openDataFolder(whole);
    await expect(pendingRejoin(folder)).rejects.toMatchObject({ code: 'diskFailed' });
    await folder.close();
    expect(await idIn(whole)).toBe(before);
  });

  test('that is prepared again with another token keeps the new id and what the old one signed', async () => {
    const { path, nodeId: before } = await nodeFolder();
    const first = await prepareRejoin(path, tokenOf());
    const second = await prepareRejoin(path, tokenOf('cluster', KEY, 'better'));
    expect(second).toEqual(first);
    expect(second.former).toBe(before);
    const folder = await openDataFolder(path);
    expect((await pendingRejoin(folder))?.token.secret).toBe('better');
    await folder.close();
  });

  test('that is prepared again for a cluster that was recovered meanwhile goes over to it', async () => {
    const { path } = await nodeFolder();
    const { nodeId } = await prepareRejoin(path, tokenOf());
    expect(await prepareRejoin(path, tokenOf('recovered'))).toMatchObject({ former: null, nodeId });
    const folder = await openDataFolder(path);
    await folder.bindCluster('recovered');
    expect(folder.format).toMatchObject({ clusterId: 'recovered', nodeId: null });
    expect((await pendingRejoin(folder))?.token.clusterId).toBe('recovered');
    await folder.close();
  });

  test('goes over to the recovered cluster, which has the same key, and to no other', async () => {
    const { path } = await nodeFolder();
    await expect(prepareRejoin(path, tokenOf('cluster', Buffer.alloc(32, 8)))).rejects.toMatchObject({
      code: 'wrongCluster',
    });
    expect(await readdir(path)).toContain('log');
    await prepareRejoin(path, tokenOf('recovered'));
    const folder = await openDataFolder(path);
    expect(folder.format.clusterId).toBe('recovered');
    await folder.close();
  });

  test('is refused for a folder that is none of a node, or in use', async () => {
    const { path } = await nodeFolder();
    await expect(prepareRejoin(join(path, 'nowhere'), tokenOf())).rejects.toMatchObject({ code: 'notFound' });
    const held = await openDataFolder(path);
    await expect(prepareRejoin(path, tokenOf())).rejects.toMatchObject({ code: 'conflict' });
    await held.close();
  });
});

test('only the former member itself says who comes in its place', async () => {
  const [former, stranger] = [await createNodeKey(), await createNodeKey()];
  const successor = nodeIdOf(await createNodeKey());
  const id = nodeIdOf(former);
  const proof = await signAs(former, successionText('cluster', id, successor));
  await checkSuccession({ former: id, proof }, 'cluster', successor);
  const forged = await signAs(stranger, successionText('cluster', id, successor));
  const refused = { code: 'joinRefused' };
  await expect(checkSuccession({ former: id, proof: forged }, 'cluster', successor)).rejects.toMatchObject(refused);
  await expect(checkSuccession({ former: id, proof }, 'other', successor)).rejects.toMatchObject(refused);
  await expect(checkSuccession({ former: id, proof }, 'cluster', nodeIdOf(stranger))).rejects.toMatchObject(refused);
  await expect(checkSuccession({ former: 'x' as NodeId, proof }, 'cluster', successor)).rejects.toMatchObject(refused);
});
