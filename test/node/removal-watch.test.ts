import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { REMOVAL_WATCH_TIMES, RemovalWatch } from '../../node/removal-watch.ts';
import { encodeVersioned } from '../../node/versioned.ts';
import type { Configuration } from '../../raft/types.ts';
import { Fault } from '../../src/errors.ts';
import type { NodeId } from '../../src/ids.ts';

const SELF = 'self' as NodeId;
const LEADER = 'leader' as NodeId;
const LONG = 10 * REMOVAL_WATCH_TIMES.askAgainMs;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function configuration(...voters: NodeId[]): Configuration {
  return { voters, outgoing: [], learners: [], learnersNext: [] };
}

function setUp() {
  const seen = { leader: null as NodeId | null, connected: [] as NodeId[], asked: 0, removed: 0 };
  let standing: 'member' | 'none' | 'silent' = 'silent';
  const watch = new RemovalWatch(
    {
      self: SELF,
      replica: {
        get leader() {
          return seen.leader;
        },
      },
      network: {
        connected: () => seen.connected,
        async join() {
          seen.asked += 1;
          if (standing === 'silent') throw new Fault('peerUnreachable', 'nobody is there');
          return encodeVersioned({ standing });
        },
      },
      addresses: () => ['/ip4/127.0.0.1/tcp/1'],
      logger: pino({ level: 'silent' }),
    },
    () => {
      seen.removed += 1;
    },
  );
  watch.start();
  const answer = (next: typeof standing) => (standing = next);
  return { watch, seen, answer };
}

describe('a node that was removed', () => {
  it('hears it in the log, and only after the log held it', () => {
    const { watch, seen } = setUp();
    watch.configurationChanged(configuration(LEADER));
    watch.configurationChanged(configuration(LEADER, SELF));
    expect(seen.removed).toBe(0);
    watch.configurationChanged(configuration(LEADER));
    watch.configurationChanged(configuration(LEADER));
    expect(seen.removed).toBe(1);
  });

  it('asks when it knows no leader, until somebody tells', async () => {
    const { seen, answer } = setUp();
    await vi.advanceTimersByTimeAsync(LONG);
    expect(seen.asked).toBeGreaterThan(2);
    expect(seen.removed).toBe(0);
    answer('none');
    await vi.advanceTimersByTimeAsync(LONG);
    expect(seen.removed).toBe(1);
  });

  it('asks too when the leader that it has in mind is out of reach, as a learner', async () => {
    const { seen, answer } = setUp();
    seen.leader = LEADER;
    answer('none');
    await vi.advanceTimersByTimeAsync(LONG);
    expect(seen.removed).toBe(1);
  });
});

describe('a node that is a member', () => {
  it('asks nobody while it reaches a leader', async () => {
    const { seen, answer } = setUp();
    Object.assign(seen, { leader: LEADER, connected: [LEADER] });
    answer('none');
    await vi.advanceTimersByTimeAsync(LONG);
    expect(seen).toMatchObject({ asked: 0, removed: 0 });
  });

  it('goes on when it is told that it is one', async () => {
    const { seen, answer } = setUp();
    answer('member');
    await vi.advanceTimersByTimeAsync(LONG);
    expect(seen.asked).toBeGreaterThan(2);
    expect(seen.removed).toBe(0);
  });
});
