import { mkdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const JOBS = 300;
const PROCESSORS = 2;
/** Every so many jobs one is long, and those behind it go back to the queue. */
const LONG_EVERY = 40;
const KILLS_AT = [30, 100, 170];

describe('short jobs that are placed before there is room for them', () => {
  const cluster = useCluster({ size: 1, flags: ['--cpu', String(PROCESSORS)] });

  it('run once each and no more at once than fit, though the node is killed again and again', async () => {
    const node = cluster().node(0);
    const folder = cluster().folder;
    await mkdir(`${folder}/inside`);
    const lines = await node.api.submitBatch(
      Array.from({ length: JOBS }, (_, n) => ({ command: ['sh', '-c', script(folder, n)] })),
    );
    const ids = lines.flatMap((line) => ('id' in line ? [line.id] : []));
    expect(ids).toHaveLength(JOBS);

    for (const count of KILLS_AT) {
      await waitUntil(`${count} jobs to have begun`, async () =>
        (await linesOf(`${folder}/begun`)).length >= count ? true : null,
      );
      await node.killNode();
      await cluster().restart(node);
    }

    for (const id of ids) {
      const job = await node.api.waitFinal(id);
      expect(job.state).toBe('succeeded');
      expect(job.attempts).toHaveLength(1);
    }
    expect((await linesOf(`${folder}/begun`)).toSorted()).toEqual(ids.toSorted());
    expect(await linesOf(`${folder}/tooMany`)).toEqual([]);
  });
});

/** Notes that it was run, and whether more are inside than there are processors; nearly all of it without a process. */
function script(folder: string, n: number): string {
  const inside = `${folder}/inside`;
  return [
    `: > ${inside}/$QUORATE_JOB_ID`,
    `echo $QUORATE_JOB_ID >> ${folder}/begun`,
    `set -- ${inside}/*; [ $# -le ${PROCESSORS} ] || echo $# >> ${folder}/tooMany`,
    ...(n % LONG_EVERY === LONG_EVERY - 1 ? ['sleep 0.3'] : []),
    `rm ${inside}/$QUORATE_JOB_ID`,
  ].join('; ');
}

async function linesOf(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean);
}
