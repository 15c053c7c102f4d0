import { describe, expect, test } from 'vitest';
import { configuration } from './support/builders.ts';
import { Cluster } from './support/cluster.ts';

describe('a cluster of one', () => {
  test('leads after its first tick, without waiting for an election timeout', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.tick('a');
    cluster.settle();
    expect(cluster.member('a').raft.role).toBe('leader');
  });

  test('leads only once its term and its vote are on disk', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.member('a').disk = 'held';
    cluster.tick('a', 50);
    expect(cluster.member('a').raft.role).toBe('candidate');
    expect(cluster.member('a').raft.term).toBe(1);
    cluster.finishWrite('a');
    expect(cluster.member('a').raft.role).toBe('leader');
  });

  test('commits as soon as its own disk holds an entry, not before', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.run(1);
    cluster.member('a').disk = 'held';
    cluster.propose('a', 'x');
    cluster.settle();
    expect(cluster.appliedBy('a')).toEqual([]);
    cluster.finishWrite('a');
    cluster.settle();
    expect(cluster.appliedBy('a')).toEqual(['x']);
  });

  test('answers reads at once', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.run(1);
    cluster.propose('a', 'x');
    cluster.settle();
    const id = cluster.read('a');
    expect(cluster.member('a').reads.get(id)).toBe(cluster.member('a').raft.commitIndex);
  });

  test('writes its initial membership into the log, where a joining node finds it', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.run(1);
    expect(cluster.member('a').durable.entries).toEqual([
      { kind: 'configuration', index: 1, term: 1, configuration: configuration({ voters: ['a'] }) },
    ]);
  });

  test('goes on leading while its disk stalls: nobody else could', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.run(1);
    cluster.step('a', { kind: 'diskStalled' });
    expect(cluster.member('a').raft.role).toBe('leader');
  });

  test('comes back with everything that it committed', () => {
    const cluster = new Cluster({ members: ['a'] });
    cluster.run(1);
    cluster.propose('a', 'x');
    cluster.propose('a', 'y');
    cluster.settle();
    cluster.restart('a');
    cluster.run(1);
    expect(cluster.appliedBy('a')).toEqual(['x', 'y']);
    expect(cluster.member('a').raft.term).toBe(2);
  });
});
