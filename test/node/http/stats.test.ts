import { describe, expect, it } from 'vitest';
import { statsView } from '../../../node/http/schemas.ts';
import { serve } from './serving.ts';

describe('the stats', () => {
  it('are told as of now, or as this node has them', async () => {
    const { ask, core } = await serve();
    const answer = await ask('GET', '/v1/stats');
    expect(statsView.parse(answer.json())).toEqual(answer.json());
    expect(answer.json()).toEqual({
      jobs: { waiting: 0, queued: 0, assigned: 0, running: 0 },
      totals: {
        submitted: 0,
        started: 0,
        ended: { succeeded: 0, failed: 0, timedOut: 0, cancelled: 0, lost: 0, expired: 0 },
      },
      oldestQueued: null,
      index: 42,
    });
    await ask('GET', '/v1/stats?consistency=stale');
    expect(core.called('stats')).toEqual([['linearizable'], ['stale']]);
  });

  it('take the scope jobs:read', async () => {
    const { ask, core } = await serve();
    core.anonymous = null;
    core.addToken('reader', ['jobs:read']);
    core.addToken('other', ['runners:read']);
    const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    expect((await ask('GET', '/v1/stats', as('reader'))).status).toBe(200);
    expect((await ask('GET', '/v1/stats', as('other'))).status).toBe(403);
  });
});
