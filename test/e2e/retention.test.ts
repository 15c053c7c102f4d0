import { describe, expect, it } from 'vitest';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const cluster = useCluster({ size: 3 });

const small = { resources: { cpu: 0.1 } };

describe('a final job', () => {
  it('is purged at every node once its time is over, and others stay', async () => {
    const [one, two, three] = [0, 1, 2].map((n) => cluster().node(n).api);
    const short = await one!.submit({ command: ['true'], retention: '2s', ...small });
    const long = await two!.submit({ command: ['true'], retention: '1h', ...small });
    const usual = await three!.submit({ command: ['false'], ...small });
    await two!.waitFinal(short.id);
    for (const { id } of [long, usual]) await one!.waitFinal(id);
    for (const api of [one!, two!, three!]) {
      await waitUntil('the job is gone', async () => {
        const { status } = await api.http.get(`/v1/jobs/${short.id}`);
        return status === 404 ? status : null;
      });
      expect((await api.jobs('limit=100')).items.map(({ id }) => id).toSorted()).toEqual(
        [long.id, usual.id].toSorted(),
      );
    }
    const retried = await one!.http.post(`/v1/jobs/${short.id}/retry`, {});
    expect(retried.status).toBe(404);
  });
});
