import { v7 as uuidv7 } from 'uuid';
import type { Configuration, Index, NodeId, Term } from '../../raft/types.ts';
import { Fault, Rejection } from '../../src/errors.ts';
import { decodeNodeKey, nodeIdOf } from '../p2p/identity.ts';
import { type DataFolder, openNodeFolder } from '../storage/data-folder.ts';
import { openLogStore } from '../storage/log-store.ts';
import type { LogStore } from '../storage/ports.ts';
import { openStateStore } from '../storage/state-store.ts';
import { onlyVoter, refound } from './refounding.ts';

/** What one data folder has of its cluster. */
export interface Survivor {
  readonly nodeId: NodeId;
  readonly clusterId: string;
  /** Of the last entry. Of two survivors the one with the higher term, then index, has more. */
  readonly lastTerm: Term;
  readonly lastIndex: Index;
  /** At least so much was committed. */
  readonly commitIndex: Index;
  readonly members: readonly FormerMember[];
}

export interface FormerMember {
  readonly id: NodeId;
  readonly role: 'voter' | 'learner';
  readonly http: string | null;
}

/** A survivor whose folder is held; nothing is changed before `recover`. */
export interface OpenSurvivor extends Survivor {
  /** Makes the node the only voter of a new cluster that has everything in its log. Returns the cluster's id. */
  recover(): Promise<string>;
  close(): Promise<void>;
}

/**
 * Opens the folder of a node that does not run.
 * @throws Rejection `notFound`, `conflict` when a node uses the folder, `forbidden` when it is another user's; Fault
 *   `corrupt` when its log or state is damaged
 */
export async function openSurvivor(dataDir: string): Promise<OpenSurvivor> {
  const { folder, clusterId } = await openNodeFolder(dataDir);
  try {
    return await withLog(folder, clusterId);
  } catch (error) {
    await folder.close();
    throw error;
  }
}

async function withLog(folder: DataFolder, clusterId: string): Promise<OpenSurvivor> {
  const nodeId = await readNodeId(folder);
  const log = await openLogStore(folder.parts.log, { expected: 'existing' });
  try {
    const survivor = await describe(folder, log, nodeId, clusterId);
    if (survivor.lastIndex === 0)
      throw new Rejection('wrongState', 'this node has received nothing of its cluster yet');
    return {
      ...survivor,
      recover: () => recover(folder, log, survivor),
      async close() {
        await log.close();
        await folder.close();
      },
    };
  } catch (error) {
    await log.close();
    throw error;
  }
}

async function readNodeId(folder: DataFolder): Promise<NodeId> {
  const key = await folder.readSecret('node.key');
  if (key === null) throw new Fault('corrupt', 'node.key is missing from the data folder');
  return nodeIdOf(decodeNodeKey(Buffer.from(key.trim(), 'base64url')));
}

async function describe(folder: DataFolder, log: LogStore, nodeId: NodeId, clusterId: string): Promise<Survivor> {
  const { snapshot, entries, hardState } = log.loaded;
  const last = entries.at(-1) ?? snapshot ?? { index: 0, term: 0 };
  const configuration = configurationOf(log) ?? onlyVoter(nodeId);
  return {
    nodeId,
    clusterId,
    lastTerm: last.term,
    lastIndex: last.index,
    commitIndex: Math.max(hardState.commit, snapshot?.index ?? 0),
    members: await findMembers(folder, configuration, snapshot?.index ?? 0),
  };
}

/** The newest one, whether it is committed or not (paper §6). */
function configurationOf({ loaded: { entries, snapshot } }: LogStore): Configuration | null {
  const entry = entries.findLast(({ kind }) => kind === 'configuration');
  return entry?.kind === 'configuration' ? entry.configuration : (snapshot?.configuration ?? null);
}

async function findMembers(
  folder: DataFolder,
  { voters, outgoing, learners, learnersNext }: Configuration,
  logBegin: Index,
): Promise<readonly FormerMember[]> {
  const store = await openStateStore(folder.parts.state, logBegin);
  try {
    if (store.applied < logBegin) {
      const lack = `the state in ${folder.parts.state} ends at ${store.applied}, and the log begins behind ${logBegin}`;
      throw new Fault('corrupt', `${lack}: recover from another data folder, or restore a backup`);
    }
    const voting = new Set([...voters, ...outgoing]);
    const members: FormerMember[] = [];
    for (const id of new Set([...voting, ...learners, ...learnersNext])) {
      const node = await store.get('node', id);
      members.push({ id, role: voting.has(id) ? 'voter' : 'learner', http: node?.http ?? null });
    }
    return members;
  } finally {
    await store.close();
  }
}

/**
 * The folder's cluster id goes first: from then on no member of the old cluster speaks with this node, and a recovery
 * that was cut short is made again. What is appended to the log goes last: with it everything is done.
 */
async function recover(folder: DataFolder, log: LogStore, survivor: Survivor): Promise<string> {
  const { nodeId, lastIndex, commitIndex } = survivor;
  const clusterId = uuidv7();
  await folder.rebind(clusterId, nodeId);
  // They tell of the cluster as it was.
  await folder.removeSecret('join.token');
  await folder.removeSecret('introduction.json');
  await folder.removeSecret('removed.json');
  const end = { index: lastIndex, term: Math.max(log.loaded.hardState.term, survivor.lastTerm) };
  const refounding = refound(nodeId, clusterId, end, commitIndex);
  await log.persist({ seq: 1, truncateFrom: null, snapshot: null, messages: [], ...refounding });
  return clusterId;
}
