import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runQuorate } from '../support/command-line.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

describe('a node of three whose log is damaged', () => {
  const cluster = useCluster({ size: 3 });

  it('does not vote, and comes back as a learner under a new id in the place of the old one', async () => {
    const [witness, victim] = [cluster().node(0), cluster().node(1)];
    const { nodeId: formerId } = await victim.requireFile();
    const { id } = await witness.api.submit({ command: ['echo', 'kept'] });
    await witness.api.waitFinal(id);
    await victim.killMachine();
    await flipInLog(victim);

    await victim.launch('up', []);
    expect((await victim.ended()).code, victim.logTail()).toBe(1);
    expect(victim.logTail()).toMatch(/the log is damaged.*must not vote.*quorate rejoin.*\(corrupt\)/);

    const { http } = await witness.requireFile();
    const env = { QUORATE_URL: `http://${http}`, QUORATE_TOKEN: await cluster().adminToken() };
    const prepared = await runQuorate(['rejoin', '--data', victim.dataDir, '--json'], { env });
    expect(prepared.code, prepared.stderr).toBe(0);
    const { former, nodeId, aside } = JSON.parse(prepared.stdout) as Record<string, string>;
    expect(former).toBe(formerId);
    expect((await readdir(aside ?? '')).toSorted()).toEqual(['introduction.json', 'log', 'node.key', 'state']);

    const roles = new Set<string>();
    await victim.launch('up', []);
    await waitUntil('the node to vote under its new id', async () => {
      const { members } = await witness.api.cluster();
      const role = members.find((member) => member.id === nodeId)?.role;
      if (role !== undefined) roles.add(role);
      return role === 'voter' ? true : null;
    });
    await victim.ready();
    await cluster().settled();
    const { members } = await witness.api.cluster();
    expect(members.map((member) => member.id)).not.toContain(formerId);
    expect((await victim.requireFile()).nodeId).toBe(nodeId);
    expect(await readdir(victim.dataDir)).not.toContain('rejoin.json');
    expect((await victim.api.job(id)).state).toBe('succeeded');

    await victim.stop();
    await cluster().restart(victim);
    expect((await victim.requireFile()).nodeId).toBe(nodeId);
  });

  it('does not begin anew under the old id when its log is gone altogether', async () => {
    const victim = cluster().node(2);
    await victim.killMachine();
    const aside = join(cluster().folder, 'lost');
    await rename(join(victim.dataDir, 'log'), `${aside}-log`);
    await rename(join(victim.dataDir, 'state'), `${aside}-state`);
    await victim.launch('up', []);
    expect((await victim.ended()).code, victim.logTail()).toBe(1);
    expect(victim.logTail()).toMatch(/the log is gone.*must not vote/);
  });

  async function flipInLog(node: NodeProcess): Promise<void> {
    const folder = join(node.dataDir, 'log', 'entries');
    const [name = ''] = (await readdir(folder)).filter((file) => file.endsWith('.log'));
    const bytes = await readFile(join(folder, name));
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await writeFile(join(folder, name), bytes);
  }
});
