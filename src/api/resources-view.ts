import { mapAmounts, type Resources } from '../resources/resources.ts';
import type { ResourcesView } from './views.ts';

/** In the units of the API; what is below zero is told as nothing. */
export function toResourcesView(resources: Resources): ResourcesView {
  return {
    cpu: Math.max(resources.cpuMilli, 0) / 1000,
    memory: Math.max(resources.memoryBytes, 0),
    gpu: Math.max(resources.gpu, 0),
    disk: Math.max(resources.diskBytes, 0),
    custom: mapAmounts(resources.custom, (milli) => Math.max(milli, 0) / 1000),
  };
}
