/** Everything that the storm does to a cluster, besides what the network does to single messages. */
export const FAULTS = [
  'kill',
  'powerLoss',
  'powerLossOfAll',
  'pause',
  'syncStall',
  'syncError',
  'diskFull',
  'damagedDisk',
  'lostDisk',
  'lostDiskSameId',
  'isolate',
  'majority',
  'ring',
  'bridge',
  'oneWay',
  'clog',
  'clockJump',
  'transfer',
  'membership',
  'replaceVoters',
] as const;
export type FaultName = (typeof FAULTS)[number];
