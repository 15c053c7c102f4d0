import type { NodeId } from '../ids.ts';
import { refuse, type Refusal } from './commands.ts';
import type { ClusterState } from './state.ts';

/** What a node sent before it was removed may still arrive, and it may be started again. Null: it was not removed. */
export function refuseRemoved(state: ClusterState, node: NodeId): Refusal | null {
  if (!state.removed.has(node)) return null;
  return refuse('memberRemoved', `the node ${node} was removed from the cluster and cannot come back under this id`);
}
