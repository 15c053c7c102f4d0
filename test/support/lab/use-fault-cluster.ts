import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { TestCluster, type NodeSite } from '../cluster.ts';
import { FaultRun } from './fault-run.ts';
import { Lab, type Host, type LabOptions } from './lab.ts';
import { lacksNamespaces } from './requirements.ts';
import type { NodeProcess } from '../node-process.ts';

export interface FaultClusterOptions extends LabOptions {
  readonly size: number;
  /** Told the folder of each node before it exists. */
  readonly prepare?: (name: string, folder: string) => void;
  /** Undoes that, when the nodes have ended. */
  readonly cleanUp?: () => void;
}

export interface FaultCluster {
  readonly cluster: TestCluster;
  readonly lab: Lab;
  hostOf(node: NodeProcess): Host;
  /** Puts the cluster under load, does `fault`, and judges what clients were told. */
  run(name: string, fault: (run: FaultRun) => Promise<void>): Promise<void>;
}

/** Short, so that a fault outlasts them: the leader then declares the runner lost, and its jobs run elsewhere. */
const LEASE = ['--runner-lease', '2s', '--runner-lost-after', '3s'];

/** The reason, if there is one, is printed: a machine that cannot run these tests must not look as if it had. */
export function describeFaults(name: string, tests: () => void, ...lacks: readonly (() => string | null)[]): void {
  const reason = [lacksNamespaces, ...lacks].reduce<string | null>((found, lack) => found ?? lack(), null);
  if (reason !== null) console.log(`skipped: ${name}: ${reason}`);
  describe.skipIf(reason !== null)(name, tests);
}

/** A cluster in a lab of its own for the tests of a file. */
export function useFaultCluster(options: FaultClusterOptions): () => FaultCluster {
  let lab: Lab | null = null;
  let cluster: TestCluster | null = null;

  beforeAll(async () => {
    lab = await Lab.open(options);
    cluster = await TestCluster.start({ size: options.size, flags: LEASE, site: siteIn(lab, options) });
  });

  afterEach(({ task }) => {
    if (task.result?.state === 'fail' && cluster !== null) process.stderr.write(`${cluster.logTails()}\n`);
  });

  afterAll(async () => {
    cluster?.end();
    options.cleanUp?.();
    await lab?.close();
    await cluster?.removeFolder();
  });

  return () => {
    if (lab === null || cluster === null) throw new Error('the cluster is not started');
    return faultCluster(lab, cluster);
  };
}

function siteIn(lab: Lab, { prepare }: FaultClusterOptions): NodeSite {
  return {
    place(name, folder) {
      prepare?.(name, folder);
      return lab.place(name);
    },
    listen: (name) => lab.listen(name),
  };
}

function faultCluster(lab: Lab, cluster: TestCluster): FaultCluster {
  return {
    lab,
    cluster,
    hostOf: (node) => lab.host(node.name),
    async run(name, fault) {
      const run = await FaultRun.start(name, { cluster, lab });
      try {
        await fault(run);
        await run.end();
      } finally {
        await run.abandon();
      }
    },
  };
}
