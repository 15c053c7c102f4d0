import { afterEach, describe, expect, it } from 'vitest';
import { QuorateClient } from '../../../src/client/client.ts';
import { ApiError, OutcomeUnknownError } from '../../../src/client/client-error.ts';
import type { EventOptions } from '../../../src/client/follow-events.ts';
import { answerProblem, FakeApi, type FakeHandler } from '../../support/fake-api.ts';

const open: FakeApi[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.close()));
});

async function node(handler: FakeHandler): Promise<FakeApi> {
  const api = await FakeApi.start(handler);
  open.push(api);
  return api;
}

const alive = (id: string): string => `id: ${id}\nevent: alive\ndata: {}\n\n`;
const event = (id: string): string =>
  `id: ${id}\nevent: event\ndata: ${JSON.stringify({ id, at: '', kind: 'queue', subject: 'q', queue: null })}\n\n`;
const gap = (after: string, resumed: string): string =>
  `id: ${resumed}\nevent: gap\ndata: ${JSON.stringify({ after, resumed })}\n\n`;

/** Ids of events and `gap A-B`, until there are so many. */
async function take(apis: readonly FakeApi[], count: number, options: EventOptions = {}): Promise<string[]> {
  const client = new QuorateClient({ urls: apis.map(({ url }) => url), unreachableMs: 0, reconnectMs: 5_000 });
  const told: string[] = [];
  for await (const item of client.events.follow(options)) {
    told.push(item.kind === 'event' ? item.event.id : `gap ${item.gap.after}-${item.gap.resumed}`);
    if (told.length === count) break;
  }
  return told;
}

describe('the events of a cluster', () => {
  it('are told as they come, with the gaps', async () => {
    const api = await node((_request, response) =>
      response.write(alive('1') + event('2.0') + gap('2.0', '5') + event('6.1')),
    );
    expect(await take([api], 3)).toEqual(['2.0', 'gap 2.0-5', '6.1']);
  });

  it('are asked for as the caller wants them', async () => {
    const api = await node((_request, response) => response.write(event('2.0')));
    await take([api], 1, {
      kinds: ['job', 'group'],
      states: ['failed'],
      project: 'p',
      labels: { a: '1', b: 'x=y' },
      after: '1.0',
    });
    const [asked] = api.requests;
    expect(asked?.path).toBe('/v1/events');
    expect(asked?.query.toString()).toBe('project=p&kind=job&kind=group&state=failed&label=a%3D1&label=b%3Dx%3Dy');
    expect(asked?.headers['last-event-id']).toBe('1.0');
  });

  it('go on behind the last one when the connection breaks, also at another node', async () => {
    const connections = [alive('1') + event('2.0'), alive('2.0') + event('2.1') + alive('9'), event('10.0')];
    const lastIds: unknown[] = [];
    const serve: FakeHandler = (request, response) => {
      lastIds.push(request.headers['last-event-id']);
      response.end(connections[lastIds.length - 1]);
    };
    const first = await node(serve);
    expect(await take([first], 3)).toEqual(['2.0', '2.1', '10.0']);
    expect(lastIds).toEqual([undefined, '2.0', '9']);
  });

  it('are read at the next node when the first is away', async () => {
    const gone = await FakeApi.start(() => undefined);
    await gone.close();
    const api = await node((_request, response) => response.write(event('2.0')));
    const client = new QuorateClient({ urls: [`http://127.0.0.1:1`, api.url], unreachableMs: 0, reconnectMs: 5_000 });
    for await (const item of client.events.follow()) {
      expect(item).toMatchObject({ kind: 'event', event: { id: '2.0' } });
      break;
    }
  });

  it('are given up when no connection brings anything new', async () => {
    const api = await node((_request, response) => response.end());
    await expect(take([api], 1)).rejects.toThrow(OutcomeUnknownError);
  }, 60_000);

  it('are refused at once where they may not be read', async () => {
    const api = await node((_request, response) => answerProblem(response, 403, 'forbidden'));
    await expect(take([api], 1)).rejects.toThrow(ApiError);
    expect(api.requests).toHaveLength(1);
  });

  it('end with the signal', async () => {
    const api = await node((_request, response) => response.write(event('2.0')));
    const stop = new AbortController();
    const client = new QuorateClient({ urls: [api.url] });
    const reading = (async () => {
      for await (const item of client.events.follow({ signal: stop.signal })) if (item.kind === 'event') stop.abort();
    })();
    await expect(reading).rejects.toThrow('aborted');
  });
});
