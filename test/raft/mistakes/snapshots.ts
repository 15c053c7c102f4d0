import type { Mistake } from './mistake.ts';

export const SNAPSHOTS_MISTAKES: readonly Mistake[] = [
  {
    what: 'entries that conflict with a snapshot stay (hashicorp 697)',
    file: 'raft/follower.ts',
    find: 'if (core.log.matches(snapshot.index, snapshot.term)) {',
    replace: 'if (core.log.lastIndex >= snapshot.index) {',
    script: 'snapshot-discards-what-conflicts-with-it',
  },
  {
    what: 'a snapshot throws away what follows it',
    file: 'raft/follower.ts',
    find: 'if (core.log.matches(snapshot.index, snapshot.term)) {',
    replace: 'if (core.log.lastIndex < 0) {',
    script: 'snapshot-keeps-what-follows-it',
  },
  {
    what: 'a stale snapshot takes the state back',
    file: 'raft/follower.ts',
    find: 'if (snapshot.index <= core.commitIndex) {',
    replace: 'if (snapshot.index < 0) {',
    script: 'snapshot-a-stale-one-changes-nothing',
  },
  {
    what: 'appends go on while a snapshot is under way',
    file: 'raft/progress.ts',
    find: "      case 'snapshot':\n        return false;",
    replace: "      case 'snapshot':\n        return true;",
    script: 'snapshot-nothing-else-is-sent-meanwhile',
  },
  {
    what: 'a snapshot that failed is never tried again',
    file: 'raft/replication.ts',
    find: "    case 'failed':\n      progress.probeFrom(progress.matchIndex + 1);\n      progress.pauseProbe();\n",
    replace: "    case 'failed':\n",
    script: 'snapshot-an-interrupted-one-is-tried-again',
  },
  {
    what: 'a snapshot is offered to a silent peer',
    file: 'raft/replication.ts',
    find: '  if (!isRecentlyActive(core, progress)) {\n    progress.probeFrom',
    replace: '  if (core.tick < 0) {\n    progress.probeFrom',
    script: 'snapshot-none-for-a-silent-peer',
  },
  {
    what: 'a restore that a crash interrupted is forgotten',
    file: 'raft/core.ts',
    find: 'this.#unfinishedRestore = stored.applied < base.index ? base : null;',
    replace: 'this.#unfinishedRestore = null;',
    script: 'snapshot-crash-between-persist-and-restore',
  },
  {
    what: 'entries are given out before the snapshot below them is restored',
    file: 'raft/core.ts',
    find: '    if (this.#applied < this.#handedOut) return [];\n',
    replace: '',
    script: 'snapshot-crash-between-persist-and-restore',
  },
  {
    what: 'the membership does not come with the snapshot',
    file: 'raft/log.ts',
    find: '    this.#configurations = [{ index: snapshot.index, configuration: snapshot.configuration }];\n    this.#bytes = 0;',
    replace: '    this.#bytes = 0;',
    script: 'snapshot-brings-the-membership',
  },
  {
    what: 'the edge of a compacted log forgets its term',
    file: 'raft/log.ts',
    find: '    this.#baseTerm = term;',
    replace: '    this.#baseTerm = 0;',
    script: 'compaction-keeps-a-tail',
  },
];
