import type { RaftOptions } from '../../raft/config.ts';
import type { TimingConfig } from '../config/config.ts';

/** Times become ticks; sizes follow what one sync and one frame carry well. */
export function raftOptions(timing: TimingConfig): RaftOptions {
  return {
    electionTicks: Math.max(2, Math.round(timing.electionMs / timing.tickMs)),
    heartbeatTicks: Math.max(1, Math.round(timing.heartbeatMs / timing.tickMs)),
    maxUncommittedBytes: 64 * 1024 * 1024,
    maxAppendBytes: 1024 * 1024,
    maxInflightAppends: 64,
    maxInflightBytes: 16 * 1024 * 1024,
    // As many as one entry of commands holds: the event loop does not turn while they are applied.
    maxApplyBytes: 256 * 1024,
    reads: 'readIndex',
  };
}
