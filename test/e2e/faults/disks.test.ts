import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fillDisk, lacksFailingDisk, mountFailingDisk, mountSmallDisk, removeDisk } from '../../support/lab/disks.ts';
import { describeFaults, useFaultCluster } from '../../support/lab/use-fault-cluster.ts';
import type { NodeProcess } from '../../support/node-process.ts';

const DISK_MB = 96;

describeFaults('three nodes, one with a disk that is full', () => {
  const disks = new Map<string, string>();
  const faults = useFaultCluster({
    size: 3,
    prepare(name, folder) {
      if (name !== 'node-2') return;
      disks.set(name, join(folder, 'data'));
      mountSmallDisk(join(folder, 'data'), DISK_MB);
    },
    cleanUp: () => disks.forEach((path) => removeDisk(path)),
  });

  for (const role of ['follower', 'leader'] as const) {
    it(`go on when it is the ${role}'s, and take it back when there is room`, async () => {
      const { cluster } = faults();
      const full = cluster.node(1);
      await lead(role === 'leader' ? full : cluster.node(0));
      await faults().run(`full disk of the ${role}`, async (run) => {
        const others = cluster.nodes.filter((node) => node !== full);
        const since = performance.now();
        const filler = fillDisk(full.dataDir);
        const end = await full.ended();
        expect(end.signal, 'it ends in order, with a reason').toBeNull();
        expect(end.code).not.toBe(0);
        expect(full.logTail()).toContain('diskFull');
        await run.servesAgain(since, 'the disk was full', others);
        rmSync(filler);
        await cluster.restart(full);
      });
    });
  }

  async function lead(node: NodeProcess): Promise<void> {
    await faults().cluster.transferTo(node);
  }
});

describeFaults(
  'three nodes, one with a disk that fails',
  () => {
    let backing = '';
    let data = '';
    const faults = useFaultCluster({
      size: 3,
      prepare(name, folder) {
        if (name !== 'node-3') return;
        data = join(folder, 'data');
        backing = mountFailingDisk(data, DISK_MB);
      },
      cleanUp: () => removeDisk(data),
    });

    it('go on without it when it is that of the leader', async () => {
      const { cluster } = faults();
      const broken = cluster.node(2);
      await cluster.transferTo(broken);
      await faults().run('failing disk of the leader', async (run) => {
        const others = cluster.nodes.filter((node) => node !== broken);
        const since = performance.now();
        fillDisk(backing);
        const end = await broken.ended();
        run.forget(broken);
        expect(end.signal, 'it ends in order, with a reason').toBeNull();
        expect(end.code).not.toBe(0);
        expect(broken.logTail()).toMatch(/diskFailed|diskFull/);
        await run.servesAgain(since, 'the disk failed', others);
      });
    });
  },
  lacksFailingDisk,
);
