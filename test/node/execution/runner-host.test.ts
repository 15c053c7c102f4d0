import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { RunnerHost, type RunnerHostDependencies } from '../../../node/execution/runner-host.ts';
import type { PeerNetwork } from '../../../node/p2p/network.ts';
import type { Replica } from '../../../node/replica/replica.ts';
import type { RunnerEvent, RunnerSupervisor } from '../../../node/runner/ports.ts';
import { Fault } from '../../../src/errors.ts';
import type { Incarnation, JobId, NodeId } from '../../../src/ids.ts';
import type { Command } from '../../../src/state/commands.ts';
import { ClusterState } from '../../../src/state/state.ts';
import { amounts, assign, assignBehind, jobId, register, setQueue, submit, TestReplica } from '../../src/builders.ts';

const SELF = 'self' as NodeId;
const LEASE_MS = 1000;
const OTHER = 'other' as NodeId;

const open: RunnerHost[] = [];
afterEach(async () => {
  for (const host of open.splice(0)) await host.stop('keep');
});

const NO_FILES: RunnerHostDependencies['files'] = {
  prepare: async () => ({ kind: 'stopped' }),
  stop: () => undefined,
  discard: async () => undefined,
  withOutputs: async (_attempt, spec, end) =>
    spec?.outputs === undefined ? end : { ...end, outputs: { rootDigest: 'sha256:0', entries: 1, bytes: 1 } },
};

const LEFT: Extract<RunnerEvent, { kind: 'ended' }> = {
  kind: 'ended',
  job: 'j' as JobId,
  attempt: 1,
  startedAt: 1,
  endedAt: 2,
  end: { outcome: 'succeeded', exitCode: 0, signal: null, reason: null, usage: null },
  incarnation: 'i0' as Incarnation,
};

function setUp(
  voters: readonly NodeId[],
  left: readonly (typeof LEFT)[] = [],
  { registrationMs = 0, state = new ClusterState(), barrier = async (): Promise<void> => undefined } = {},
) {
  const proposed: Command[] = [];
  let listener: (event: RunnerEvent) => void = () => undefined;
  const granted: (number | null)[] = [];
  const asked: string[] = [];
  const supervisor = {
    connect: async () => {
      setTimeout(() => left.forEach((event) => listener(event)), 20);
      return { incarnation: 'i1' as Incarnation, pid: 1, held: left.map(({ job, attempt }) => ({ job, attempt })) };
    },
    start: ({ job }: { readonly job: JobId }) => void asked.push(`start ${job}`),
    stop: ({ job }: { readonly job: JobId }, why: string) => void asked.push(`${why} ${job}`),
    forget: () => undefined,
    renew: (ms: number | null) => void granted.push(ms),
    onEvent: (to: typeof listener) => (listener = to),
    close: async () => undefined,
  } as unknown as RunnerSupervisor;
  const configuration = { voters, outgoing: [], learners: [], learnersNext: [] };
  const replica = {
    leader: null,
    state,
    consensus: { configuration },
    barrier,
    propose: async (_by: unknown, commands: readonly Command[]) => {
      proposed.push(...commands);
      if (registrationMs > 0) await new Promise((resolve) => setTimeout(resolve, registrationMs));
      return commands.map(() => ({ ok: true }));
    },
  } as unknown as Replica;
  const logger = pino({ level: 'silent' });
  const host = new RunnerHost(
    {
      self: SELF,
      replica,
      supervisor,
      network: {} as PeerNetwork,
      files: NO_FILES,
      logger,
      renewHere: () => 'renewed',
    },
    {
      total: { cpuMilli: 1000, memoryBytes: 0, gpu: 0, diskBytes: 0, custom: {} },
      labels: {},
      leaseMs: LEASE_MS,
      jobEnv: () => ({}),
    },
  );
  open.push(host);
  return { host, granted, asked, proposed };
}

describe('RunnerHost', () => {
  it('lets jobs run without limit where this node is the whole cluster', async () => {
    const { host, granted } = setUp([SELF]);
    await host.start();
    await expect.poll(() => host.isRegistered).toBe(true);
    expect(new Set(granted)).toEqual(new Set([null]));
  });

  it('does not when the whole cluster is another node: this one was removed', async () => {
    const { host, granted } = setUp([OTHER]);
    await host.start();
    await expect.poll(() => host.isRegistered).toBe(true);
    expect(granted).not.toContain(null);
  });

  it('limits the first jobs by a lease from the sending of the registration, before any renewal got through', async () => {
    const { host, granted } = setUp([SELF, OTHER], [], { registrationMs: 50 });
    await host.start();
    await expect.poll(() => host.isRegistered).toBe(true);
    expect(granted).toHaveLength(1);
    expect(granted[0]).toBeGreaterThanOrEqual(0);
    expect(granted[0]).toBeLessThan(LEASE_MS - 40);
  });

  it('grants none when the registration was answered after the time of a lease: renewing comes first', async () => {
    const { host, granted } = setUp([SELF, OTHER], [], { registrationMs: LEASE_MS + 50 });
    await host.start();
    await expect.poll(() => host.isRegistered, { timeout: 10_000 }).toBe(true);
    expect(granted).toEqual([0]);
  });

  it('tells the ends that an earlier runner process left before the new one is registered, which loses the rest', async () => {
    const { host, proposed } = setUp([OTHER], [LEFT]);
    await host.start();
    await expect.poll(() => proposed.map(({ kind }) => kind)).toEqual(['ended', 'registerRunner']);
  });

  it('keeps the outputs of an attempt whose job it does not know yet after a restart', async () => {
    const cluster = TestReplica.founded();
    const incarnation = 'i1' as Incarnation;
    const end = { ...LEFT, job: jobId(1), incarnation };
    let refusals = 1;
    const barrier = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      refusals -= 1;
      if (refusals >= 0) throw new Fault('noLeader', 'nobody leads yet');
      cluster.system(register(SELF, incarnation, amounts({ cpuMilli: 1000 })));
      cluster.local(submit(1, { spec: { outputs: ['dist'] }, placement: { runner: SELF, incarnation } }));
    };
    const { host, proposed } = setUp([OTHER], [end], { state: cluster.state, barrier });
    await host.start();
    await expect.poll(() => proposed.map(({ kind }) => kind)).toEqual(['ended', 'registerRunner']);
    expect(proposed[0]).toHaveProperty('end.outputs.entries', 1);
  });

  it('stops an attempt that is to make room, when that is told and when it finds it so after a restart', async () => {
    const cluster = TestReplica.founded();
    const incarnation = 'i1' as Incarnation;
    cluster.system(register(SELF, incarnation, amounts({ cpuMilli: 1000 })));
    cluster.local(
      setQueue('batch', { preemption: 'requeue' }),
      submit(1, { spec: { queue: 'batch', priority: 1 }, placement: { runner: SELF, incarnation } }),
      submit(2),
    );
    const { host, asked } = setUp([SELF], [], { state: cluster.state });
    await host.start();
    await expect.poll(() => host.isRegistered).toBe(true);
    expect(asked).toEqual([`start ${jobId(1)}`]);
    const placement = { runner: SELF, incarnation };
    const victims = [{ job: jobId(1), attempt: 1 }];
    cluster.system({ kind: 'preempt', job: jobId(2), attempt: 1, placement, victims });
    host.changed(cluster.last.events);
    expect(asked.slice(1)).toEqual([`cancelled ${jobId(1)}`]);
    host.reconcile([]);
    expect(asked.slice(2)).toEqual([`cancelled ${jobId(1)}`]);
  });

  it('hands back what it hears of before it is registered: an earlier start may have handed it back already', async () => {
    const cluster = TestReplica.founded();
    const incarnation = 'i1' as Incarnation;
    cluster.system(register(SELF, incarnation, amounts({ cpuMilli: 1000 })));
    cluster.local(submit(1), submit(2));
    const end = { ...LEFT, job: jobId(1), incarnation };
    const { host, asked, proposed } = setUp([SELF], [end], { state: cluster.state, registrationMs: 50 });
    await host.start();
    for (const command of [assign(1, 1, SELF, incarnation), assignBehind(2, 1, 1, SELF, incarnation)]) {
      cluster.system(command);
      host.changed(cluster.last.events);
    }
    await expect.poll(() => host.isRegistered).toBe(true);
    expect(asked).toEqual([`start ${jobId(1)}`]);
    expect(proposed.map(({ kind }) => kind)).toEqual(['ended', 'registerRunner', 'handBack']);
  });
});
