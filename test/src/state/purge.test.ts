import { describe, expect, it } from 'vitest';
import type { FinalJob } from '../../../src/jobs/job.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { Command } from '../../../src/state/commands.ts';
import { JOBS_PER_PURGE } from '../../../src/state/purge-command.ts';
import { assign, createGroup, ended, FAILED, groupId, jobId, LOCAL, submit, TestReplica } from '../builders.ts';

/** As the leader proposes it, which read the job as it is now. */
function purge(replica: TestReplica, ...numbers: number[]): Command {
  return { kind: 'purge', jobs: numbers.map((n) => ({ job: jobId(n), index: replica.job(n).index })) };
}

function retry(replica: TestReplica, n: number): Command {
  return { kind: 'retry', job: jobId(n), record: replica.job(n) as FinalJob };
}

function withFailed(spec = {}): TestReplica {
  const replica = TestReplica.withRunner();
  replica.local(createGroup(1), submit(1, { spec: { retry: 'never', ...spec } }));
  replica.system(assign(1, 1), ended(1, 1, FAILED));
  return replica;
}

const stored = (replica: TestReplica, n: number) => replica.disk.get(`job ${jobId(n)}`)?.value;

describe('purge', () => {
  it('removes final jobs from the database and tells of each', () => {
    const replica = withFailed();
    expect(replica.system(purge(replica, 1))).toEqual([{ ok: true }]);
    expect(stored(replica, 1)).toBeNull();
    expect(replica.last.events).toEqual([{ kind: 'purged', id: jobId(1) }]);
  });

  it('leaves what came back to life since it was read', () => {
    const replica = withFailed();
    const command = purge(replica, 1);
    replica.local(retry(replica, 1));
    replica.system(command);
    expect(replica.job(1).state).toBe('queued');
    expect(stored(replica, 1)).toMatchObject({ state: 'queued' });
  });

  it('leaves what came back to life and is final again, until its newer record is named', () => {
    const replica = withFailed();
    const command = purge(replica, 1);
    replica.local(retry(replica, 1));
    replica.system(assign(1, 2), ended(1, 2, FAILED));
    replica.reload();
    replica.system(command);
    expect(stored(replica, 1)).toMatchObject({ state: 'failed', revivals: 1 });
    replica.system(purge(replica, 1));
    expect(stored(replica, 1)).toBeNull();
  });

  it('lets no older record revive what was revived and is purged', () => {
    const replica = withFailed();
    const late = retry(replica, 1);
    replica.local(retry(replica, 1));
    replica.system(assign(1, 2), ended(1, 2, FAILED));
    replica.system(purge(replica, 1));
    expect(replica.local(late)).toMatchObject([{ ok: false, code: 'wrongState' }]);
  });

  it('leaves the counts of groups as they are', () => {
    const replica = withFailed({ group: groupId(1) });
    const before = replica.group(1);
    replica.system(purge(replica, 1));
    expect(replica.group(1)).toEqual(before);
  });

  it('is for the cluster itself, and takes no more than it does in one entry', () => {
    const replica = withFailed();
    expect(replica.propose(LOCAL, [purge(replica, 1)])).toMatchObject([{ ok: false, code: 'forbidden' }]);
    const jobs = Array.from({ length: JOBS_PER_PURGE + 1 }, (_, n) => ({ job: jobId(n), index: 1 }));
    expect(replica.system({ kind: 'purge', jobs })).toMatchObject([{ ok: false, code: 'invalidRequest' }]);
    expect(stored(replica, 1)).toMatchObject({ state: 'failed' });
  });
});

describe('a job whose time is over', () => {
  it.each([
    ['its spec', { retention: '10s' }, 10_000],
    ['the default', {}, LIMITS.retentionMs],
  ])('is not tried again, as %s says', (_, spec, ms) => {
    const replica = withFailed(spec);
    replica.at += ms - 1;
    expect(replica.local(retry(replica, 1))).toEqual([{ ok: true }]);
    const later = withFailed(spec);
    later.at += ms;
    expect(later.local(retry(later, 1))).toMatchObject([{ ok: false, code: 'notFound' }]);
  });
});
