import { describe, expect, it } from 'vitest';
import type { Replica } from '../../../node/replica/replica.ts';
import { JobService } from '../../../node/service/job-service.ts';
import type { JobStore } from '../../../node/service/job-store.ts';
import { JobWatch } from '../../../node/service/job-watch.ts';
import type { Identity } from '../../../src/auth.ts';
import type { Command } from '../../../src/state/commands.ts';
import { ClusterState } from '../../../src/state/state.ts';

const IDENTITY: Identity = { principal: { id: 'local', token: null, kind: 'local' }, scopes: ['admin'] };

function setUp() {
  const proposed: (readonly Command[])[] = [];
  const replica = {
    state: new ClusterState(),
    propose: async (_by: unknown, commands: readonly Command[]) => {
      proposed.push(commands);
      return commands.map(() => ({ ok: true as const }));
    },
  } as unknown as Replica;
  const jobs = new JobService({ replica, jobs: {} as JobStore, watch: new JobWatch() });
  const submit = (count: number, stdin: string) =>
    jobs.submit(
      IDENTITY,
      Array.from({ length: count }, () => ({ spec: { command: ['cat'], stdin }, idempotency: null })),
    );
  return { proposed, submit };
}

describe('JobService', () => {
  it('proposes small jobs that come together in one breath', async () => {
    const { proposed, submit } = setUp();
    await submit(512, 'x');
    expect(proposed.map((commands) => commands.length)).toEqual([512]);
  });

  it('proposes large ones in parts, and answers each in its place', async () => {
    const { proposed, submit } = setUp();
    const results = await submit(9, 'x'.repeat(200 * 1024));
    expect(proposed.map((commands) => commands.length)).toEqual([5, 4]);
    const ids = proposed.flat().map((command) => (command.kind === 'submit' ? command.id : null));
    expect(results).toEqual(ids.map((id) => ({ ok: true, id, existed: false })));
  });
});
