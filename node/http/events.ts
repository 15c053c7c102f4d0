import { z } from 'zod';
import type { EventFilter } from '../../src/api/event-filter.ts';
import { EVENT_KINDS, type EventKind, type FeedItem } from '../../src/api/event-view.ts';
import { type EventPosition, parsePosition } from '../../src/api/to-event-view.ts';
import { allows, type Identity, type Scope } from '../../src/auth.ts';
import { Rejection } from '../../src/errors.ts';
import { JOB_STATES } from '../../src/jobs/job.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Core, EventQuery, Named } from '../core.ts';
import type { Followers } from './followers.ts';
import { problemEvent } from './log-events.ts';
import { problemOf } from './problem.ts';
import { type Headers, type Route, route } from './route.ts';
import { groupId, jobId, labelsWanted, several } from './schemas.ts';

const NEEDED: Readonly<Record<EventKind, Scope>> = {
  job: 'jobs:read',
  group: 'jobs:read',
  queue: 'jobs:read',
  runner: 'runners:read',
  member: 'cluster:read',
};

const HEADERS: Headers = { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' };

const name = z.string().max(LIMITS.nameLength).optional();
const position = z
  .string()
  .refine((text) => parsePosition(text) !== null, 'must be the id of an event, or an index')
  .transform(parsePosition)
  .optional();

const eventQuery = z.strictObject({
  kind: several(z.enum(EVENT_KINDS)).optional().meta({ description: 'All that the token may read when left out.' }),
  state: several(z.enum(JOB_STATES)).optional().meta({ description: 'Jobs that came to one of these.' }),
  job: z.string().transform(jobId).optional(),
  project: name,
  queue: name,
  group: z.string().transform(groupId).optional(),
  parent: z.string().transform(jobId).optional(),
  label: labelsWanted,
  after: position.meta({
    description: 'As `Last-Event-ID`, for clients that cannot set it; an index of `Quorate-Index`.',
  }),
});

type Query = z.output<typeof eventQuery>;

export function eventRoutes(core: Core, followers: Followers): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/events',
      scope: 'jobs:read',
      own: 'handler',
      summary: 'Follow the changes of jobs and of the cluster',
      query: eventQuery,
      headers: z.object({
        'last-event-id': z.string().optional().meta({ description: 'Goes on behind it, at any node.' }),
      }),
      responses: {
        200: {
          description:
            'Server-sent events named `event`; `alive` tells up to which id nothing is left, `gap` that what lies ' +
            'between two ids has to be read anew.',
          mediaType: 'text/event-stream',
        },
      },
      async handle({ query, identity, headers, requestId, signal }) {
        await core.checkOwn(identity, ownPart(query));
        const wanted: EventQuery = {
          after: lastEventId(headers['last-event-id']) ?? query.after ?? null,
          filter: filterOf(query, identity),
        };
        const ended = signal();
        followers.admit(ended);
        return {
          kind: 'stream',
          status: 200,
          headers: HEADERS,
          pieces: encoded(core.events(wanted, ended), ended),
          onError: (error) => problemEvent(problemOf(error, requestId)),
        };
      },
    }),
  ];
}

async function* encoded(
  batches: AsyncIterable<readonly FeedItem[]>,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  for await (const items of batches) yield items.map(encode).join('');
  // It ends with its client or with this node alone.
  signal.throwIfAborted();
}

function encode(item: FeedItem): string {
  switch (item.kind) {
    case 'event':
      return `id: ${item.event.id}\nevent: event\ndata: ${JSON.stringify(item.event)}\n\n`;
    case 'gap':
      return `id: ${item.gap.resumed}\nevent: gap\ndata: ${JSON.stringify(item.gap)}\n\n`;
    case 'alive':
      return `id: ${item.id}\nevent: alive\ndata: {}\n\n`;
  }
}

/** What narrows the stream to what one job may own. */
function ownPart({ job, parent, group }: Query): Named | null {
  const id = job ?? parent;
  if (id !== undefined) return { kind: 'job', id };
  return group === undefined ? null : { kind: 'jobsOfGroup', id: group };
}

/** @throws Rejection `forbidden` for a kind that was asked for by name */
function filterOf(
  { kind: kinds, state, label: labels, after: _after, ...given }: Query,
  identity: Identity,
): EventFilter {
  const refused = kinds?.find((kind) => !allows(identity.scopes, NEEDED[kind]));
  if (refused !== undefined) {
    throw new Rejection('forbidden', `events of the kind ${refused} need the scope ${NEEDED[refused]}`, {
      field: 'kind',
    });
  }
  return {
    ...given,
    kinds: new Set(kinds ?? EVENT_KINDS.filter((kind) => allows(identity.scopes, NEEDED[kind]))),
    states: state && new Set(state),
    labels,
  };
}

/** @throws Rejection `invalidRequest` */
function lastEventId(header: string | string[] | undefined): EventPosition | null {
  if (header === undefined || header === '') return null;
  const parsed = typeof header === 'string' ? parsePosition(header) : null;
  if (parsed === null) {
    throw new Rejection('invalidRequest', 'Last-Event-ID must be the id of an event', { field: 'Last-Event-ID' });
  }
  return parsed;
}
