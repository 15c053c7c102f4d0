import type { Registry } from 'prom-client';
import type { Core } from '../core.ts';
import type { ServedBlobs } from './blobs.ts';
import { batchRoutes } from './batch.ts';
import { blobRoutes } from './blobs.ts';
import { clusterRoutes } from './cluster.ts';
import { eventRoutes } from './events.ts';
import type { Followers } from './followers.ts';
import { groupRoutes } from './groups.ts';
import { healthRoutes } from './health.ts';
import type { HttpMetrics } from './http-metrics.ts';
import { jobRoutes } from './jobs.ts';
import { logRoutes } from './logs.ts';
import type { Route } from './route.ts';
import { outputRoutes } from './outputs.ts';
import { queueRoutes } from './queues.ts';
import { runnerRoutes } from './runners.ts';
import { scheduleRoutes } from './schedules.ts';
import type { HttpLogger } from './serve.ts';
import { statsRoutes } from './stats.ts';
import { tokenRoutes } from './tokens.ts';

export interface TableDependencies {
  readonly core: Core;
  readonly blobs: ServedBlobs;
  readonly registry: Registry;
  readonly metrics: HttpMetrics;
  readonly logger: HttpLogger;
  readonly followers: { readonly logs: Followers; readonly events: Followers };
  readonly openApi: () => object;
}

/** Every route there is. */
export function routeTable(dependencies: TableDependencies): readonly Route[] {
  const { core, followers } = dependencies;
  return [
    ...jobRoutes(core),
    ...batchRoutes(dependencies),
    ...groupRoutes(core),
    ...queueRoutes(core),
    ...statsRoutes(core),
    ...logRoutes(core, followers.logs),
    ...eventRoutes(core, followers.events),
    ...scheduleRoutes(core),
    ...runnerRoutes(core),
    ...clusterRoutes(core),
    ...tokenRoutes(core),
    ...outputRoutes(core, dependencies.blobs),
    ...blobRoutes(dependencies.blobs),
    ...healthRoutes(dependencies),
  ];
}
