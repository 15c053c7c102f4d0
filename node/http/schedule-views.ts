import { z } from 'zod';
import type { FiringView, ScheduleView } from '../../src/api/schedule-view.ts';
import { jobSpecSchema } from '../../src/jobs/spec.ts';
import { OVERLAPS } from '../../src/schedules/schedule.ts';

const time = z.iso.datetime();
const count = z.int().nonnegative();
const error = z.object({ code: z.string(), message: z.string() });
const due = time.nullable().meta({ description: 'The time of the cron line; null: it was triggered.' });

export const firingView = z
  .object({
    due,
    at: time,
    outcome: z.enum(['fired', 'skipped', 'buffered', 'missed', 'refused']),
    job: z.string().nullable(),
    count: count.meta({ description: 'How many times it tells of: more than one of those that were missed.' }),
    error: error.nullable().meta({ description: 'Why its job was refused.' }),
  })
  .meta({ id: 'Firing' }) satisfies z.ZodType<FiringView>;

export const scheduleView = z
  .object({
    name: z.string(),
    cron: z.string(),
    timeZone: z.string(),
    spec: jobSpecSchema,
    overlap: z.enum(OVERLAPS),
    catchUp: z.string().meta({ description: 'A duration: how late a firing may be made up.' }),
    paused: z.boolean(),
    state: z.enum(['active', 'paused', 'over']),
    next: z.array(time).meta({ description: 'Its next times; in a list one.' }),
    unfinished: count.meta({ description: 'Its jobs that are not final.' }),
    buffered: z
      .object({ due, job: z.string() })
      .nullable()
      .meta({ description: 'The firing that waits for the end of those.' }),
    fired: count,
    skipped: count,
    missed: count,
    missedCount: z.enum(['exact', 'atLeast']),
    refused: count,
    firings: z.array(firingView).meta({ description: 'The newest first.' }),
    lastError: z.object({ at: time, ...error.shape }).nullable(),
    owner: z.string().meta({ description: 'As whom its jobs are submitted.' }),
    createdAt: time,
    changedAt: time,
    index: z.int(),
  })
  .meta({ id: 'Schedule' }) satisfies z.ZodType<ScheduleView>;
