import { Rejection } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';
import { isSignedBy } from '../p2p/identity.ts';

/** Which member a joining node comes in the place of; `proof` is that member's own signature. */
export interface Succession {
  readonly former: NodeId;
  readonly proof: string;
}

/** What the former member's key signs: that this other node comes in its place, in this cluster. */
export function successionText(clusterId: string, former: NodeId, successor: NodeId): string {
  return ['quorate rejoin 1', clusterId, former, successor].join('\n');
}

/** @throws Rejection `joinRefused`: who may join may not for that remove a member */
export async function checkSuccession(
  { former, proof }: Succession,
  clusterId: string,
  successor: NodeId,
): Promise<void> {
  if (await isSignedBy(former, successionText(clusterId, former, successor), proof)) return;
  throw new Rejection('joinRefused', `node ${former} did not say that another one comes in its place`);
}
