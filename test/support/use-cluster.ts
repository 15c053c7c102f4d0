import { afterAll, afterEach, beforeAll } from 'vitest';
import { TestCluster, type ClusterOptions } from './cluster.ts';

/** One cluster for the tests of a file; when one of them fails, the ends of all logs are shown. */
export function useCluster(options: ClusterOptions): () => TestCluster {
  let cluster: TestCluster | null = null;

  beforeAll(async () => {
    cluster = await TestCluster.start(options);
  });

  afterEach(({ task }) => {
    if (task.result?.state === 'fail' && cluster !== null) process.stderr.write(`${cluster.logTails()}\n`);
  });

  afterAll(async () => {
    await cluster?.close();
  });

  return () => {
    if (cluster === null) throw new Error('the cluster is not started');
    return cluster;
  };
}
