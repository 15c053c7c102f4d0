import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import { DEFAULT_TIMING } from '../../node/config/config.ts';
import type { PeerNetwork } from '../../node/p2p/network.ts';
import { REPLICA_LIMITS, REPLICA_TIMES } from '../../node/replica/limits.ts';
import { raftOptions } from '../../node/replica/options.ts';
import { ReplicaEvents } from '../../node/replica/replica-events.ts';
import { Replica } from '../../node/replica/replica.ts';
import { openLogStore } from '../../node/storage/log-store.ts';
import { createSnapshotInbox } from '../../node/storage/snapshot-inbox.ts';
import { openStateStore } from '../../node/storage/state-store.ts';
import { SYSTEM_RUNTIME } from '../../node/system-runtime.ts';
import type { NodeId } from '../../src/ids.ts';

/** Standard output is the report's. */
export const LOGGER = pino({ level: 'warn' }, pino.destination(2));

/** A replica with the storage and the options of a node, without HTTP, runner and leader's duties. */
export async function openReplica(folder: string, network: PeerNetwork, voters: readonly NodeId[]): Promise<Replica> {
  const log = await openLogStore(join(folder, 'log'));
  const state = join(folder, 'state');
  const replica = await Replica.open(
    {
      self: network.self,
      session: randomBytes(9).toString('base64url'),
      log,
      store: await openStateStore(state, log.loaded.snapshot?.index ?? 0),
      inbox: createSnapshotInbox(state),
      network,
      logger: LOGGER,
      runtime: SYSTEM_RUNTIME,
    },
    {
      timing: DEFAULT_TIMING,
      raft: raftOptions(DEFAULT_TIMING),
      limits: REPLICA_LIMITS,
      times: REPLICA_TIMES,
      initial: { voters, outgoing: [], learners: [], learnersNext: [] },
    },
    new ReplicaEvents((error) => {
      throw error;
    }),
  );
  replica.start();
  return replica;
}
