import { unreachable } from '../src/errors.ts';
import type { NodeId } from '../src/ids.ts';
import type { BlobClient } from './blobs/blob-client.ts';
import { decodeDispatchRequest, encodeDispatch } from './dispatch-messages.ts';
import type { LeaderDuties } from './leader/duties.ts';
import type { Replica } from './replica/replica.ts';

/** At any member: what others ask on the `dispatch` stream. @throws Rejection `invalidRequest` */
export async function answerDispatch(
  {
    replica,
    duties,
    blobs,
  }: {
    readonly replica: Replica;
    readonly duties: LeaderDuties;
    readonly blobs: Pick<BlobClient, 'whereabouts' | 'handOver'>;
  },
  from: NodeId,
  body: Uint8Array,
): Promise<Uint8Array> {
  const request = decodeDispatchRequest(body);
  switch (request.kind) {
    case 'renewLease':
      return encodeDispatch(duties.leases.renew(from, request.incarnation));
    case 'reportMembers':
      return encodeDispatch(duties.memberReport());
    case 'tellPosition':
      return encodeDispatch({
        commitIndex: replica.consensus.commitIndex,
        appliedIndex: replica.applier.applied,
      });
    case 'tellWhereabouts':
      return encodeDispatch(await blobs.whereabouts());
    case 'handOverBlobs':
      return encodeDispatch(await blobs.handOver());
    default:
      return unreachable(request);
  }
}
