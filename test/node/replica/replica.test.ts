import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULT_TIMING } from '../../../node/config/config.ts';
import type { PeerNetwork } from '../../../node/p2p/network.ts';
import { REPLICA_LIMITS, REPLICA_TIMES } from '../../../node/replica/limits.ts';
import { raftOptions } from '../../../node/replica/options.ts';
import { ReplicaEvents } from '../../../node/replica/replica-events.ts';
import { Replica } from '../../../node/replica/replica.ts';
import { openLogStore } from '../../../node/storage/log-store.ts';
import { createSnapshotInbox } from '../../../node/storage/snapshot-inbox.ts';
import type { LogStore } from '../../../node/storage/ports.ts';
import { openStateStore } from '../../../node/storage/state-store.ts';
import { SYSTEM_RUNTIME } from '../../../node/system-runtime.ts';
import type { NodeId } from '../../../src/ids.ts';
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts';
import { waitUntil } from '../../support/wait-until.ts';

const SELF = 'self' as NodeId;
const SILENT = 'silent' as NodeId;

/** Nobody is ever reached. */
const NETWORK = {
  self: SELF,
  handle: () => undefined,
  onRaft: () => undefined,
  sendRaft: () => 'dropped',
} as unknown as PeerNetwork;

let folder: TempFolder | null = null;
let replica: Replica | null = null;

afterEach(async () => {
  await replica?.close();
  await folder?.remove();
});

async function leaderAlone(changeDeadlineMs: number): Promise<Replica> {
  folder = await makeTempFolder('replica');
  return openIn(folder, await openLogStore(join(folder.path, 'log')), changeDeadlineMs);
}

async function openIn({ path }: TempFolder, log: LogStore, changeDeadlineMs: number): Promise<Replica> {
  const state = join(path, 'state');
  const store = await openStateStore(state, 0);
  const inbox = createSnapshotInbox(state);
  const logger = pino({ level: 'silent' });
  const opened = await Replica.open(
    { self: SELF, session: 'session', log, store, inbox, network: NETWORK, runtime: SYSTEM_RUNTIME, logger },
    {
      timing: DEFAULT_TIMING,
      raft: raftOptions(DEFAULT_TIMING),
      limits: REPLICA_LIMITS,
      times: { ...REPLICA_TIMES, changeDeadlineMs },
      initial: { voters: [SELF], outgoing: [], learners: [], learnersNext: [] },
    },
    new ReplicaEvents((error) => {
      throw error;
    }),
  );
  replica = opened;
  opened.start();
  await waitUntil('the only voter to lead', () => (opened.isLeader ? true : null));
  await opened.barrier();
  return opened;
}

describe('a replica that starts again', () => {
  it('does not keep what it read of its log beside the log itself', async () => {
    await (await leaderAlone(60_000)).close();
    const again = folder as TempFolder;
    const log = await openLogStore(join(again.path, 'log'));
    const read = log.loaded.entries.length;
    const opened = await openIn(again, log, 60_000);
    expect([read, log.loaded.entries.length]).toEqual([1, 0]);
    expect(opened.consensus.firstIndex).toBe(1);
  });
});

describe('a change of the membership', () => {
  it('resolves once it is committed', async () => {
    const opened = await leaderAlone(60_000);
    await opened.changeMembership(SILENT, 'learner');
    expect(opened.consensus.configuration).toMatchObject({ voters: [SELF], learners: [SILENT] });
    await opened.changeMembership(SILENT, 'none');
    expect(opened.consensus.configuration.learners).toEqual([]);
  });

  it('that finds no quorum is told as unknown after its deadline', async () => {
    const opened = await leaderAlone(50);
    const change = opened.change({ kind: 'replace', voters: [SELF, SILENT], learners: [] });
    await expect(change).rejects.toMatchObject({ code: 'timedOut', message: expect.stringContaining('may still be') });
  });

  it('that makes no sense is refused at once', async () => {
    const opened = await leaderAlone(60_000);
    await expect(opened.change({ kind: 'promote', node: SILENT })).rejects.toMatchObject({ code: 'invalidChange' });
  });
});
