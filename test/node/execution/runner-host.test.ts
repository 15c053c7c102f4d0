import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { RunnerHost } from '../../../node/execution/runner-host.ts';
import type { PeerNetwork } from '../../../node/p2p/network.ts';
import type { Replica } from '../../../node/replica/replica.ts';
import type { RunnerSupervisor } from '../../../node/runner/ports.ts';
import type { Incarnation, NodeId } from '../../../src/ids.ts';
import { ClusterState } from '../../../src/state/state.ts';

const SELF = 'self' as NodeId;
const OTHER = 'other' as NodeId;

const open: RunnerHost[] = [];
afterEach(async () => {
  for (const host of open.splice(0)) await host.stop('keep');
});

function setUp(voters: readonly NodeId[]) {
  const granted: (number | null)[] = [];
  const supervisor = {
    connect: async () => ({ incarnation: 'i1' as Incarnation, pid: 1, held: [] }),
    renew: (ms: number | null) => void granted.push(ms),
    onEvent: () => undefined,
    close: async () => undefined,
  } as unknown as RunnerSupervisor;
  const configuration = { voters, outgoing: [], learners: [], learnersNext: [] };
  const replica = {
    leader: null,
    state: new ClusterState(),
    consensus: { configuration },
    propose: async () => [{ ok: true }],
  } as unknown as Replica;
  const logger = pino({ level: 'silent' });
  const host = new RunnerHost(
    { self: SELF, replica, supervisor, network: {} as PeerNetwork, logger, renewHere: () => 'renewed' },
    {
      total: { cpuMilli: 1000, memoryBytes: 0, gpu: 0, diskBytes: 0, custom: {} },
      labels: {},
      leaseMs: 1000,
      jobEnv: {},
    },
  );
  open.push(host);
  return { host, granted };
}

describe('RunnerHost', () => {
  it('lets jobs run without limit where this node is the whole cluster', async () => {
    const { host, granted } = setUp([SELF]);
    await host.start();
    expect(granted).toEqual([null]);
  });

  it('does not when the whole cluster is another node: this one was removed', async () => {
    const { host, granted } = setUp([OTHER]);
    await host.start();
    expect(granted).toEqual([]);
  });
});
