import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { LogStore } from '../storage/ports.ts';
import type { Replica } from './replica.ts';

const SYNC_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3];

export function registerReplicaMetrics(registry: Registry, replica: Replica, log: LogStore): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge('quorate_raft_term', 'The current term.', () => replica.consensus.term);
  gauge('quorate_raft_leader', '1 while this node leads.', () => (replica.isLeader ? 1 : 0));
  gauge('quorate_raft_has_leader', '1 while this node knows a leader.', () => (replica.leader === null ? 0 : 1));
  gauge('quorate_raft_commit_index', 'The last committed entry.', () => replica.consensus.commitIndex);
  gauge('quorate_raft_applied_index', 'The last applied entry.', () => replica.applier.applied);
  gauge('quorate_raft_last_index', 'The last entry of the log.', () => replica.consensus.lastIndex);
  gauge('quorate_raft_first_index', 'The first entry that was not compacted.', () => replica.consensus.firstIndex);
  gauge(
    'quorate_raft_uncommitted_bytes',
    'Bytes appended here and not committed yet.',
    () => replica.consensus.uncommittedBytes,
  );
  gauge('quorate_raft_log_bytes', 'Bytes of entries held in memory.', () => replica.consensus.logBytes);
  gauge('quorate_proposals_pending', 'Proposals of this node without a result.', () => replica.pendingProposals);
  registerSyncMetrics(registers, log);
}

function registerSyncMetrics(registers: Registry[], log: LogStore): void {
  const seconds = new Histogram({
    name: 'quorate_log_sync_seconds',
    help: 'Time of one synced write of the log.',
    buckets: SYNC_BUCKETS,
    registers,
  });
  const entries = new Counter({ name: 'quorate_log_entries_total', help: 'Entries written to the log.', registers });
  const bytes = new Counter({ name: 'quorate_log_bytes_total', help: 'Bytes written to the log.', registers });
  log.onSync((sync) => {
    seconds.observe(sync.ms / 1000);
    entries.inc(sync.entries);
    bytes.inc(sync.bytes);
  });
}
