import { amountOf, type Resources } from '../../../src/resources/resources.ts';

/** The one custom resource of the scenarios. */
export const LICENSE = 'license';

/** Amounts of a runner or a demand side by side: cpu, memory, gpu, disk, licenses, in the units of `Resources`. */
export type Amounts = Float64Array;

export const RESOURCE_NAMES = ['cpu', 'memory', 'gpu', 'disk', LICENSE] as const;
export const WIDTH = RESOURCE_NAMES.length;

export function amountsOf({ cpuMilli, memoryBytes, gpu, diskBytes, custom }: Resources): Amounts {
  return Float64Array.of(cpuMilli, memoryBytes, gpu, diskBytes, amountOf(custom, LICENSE));
}

/** The largest part that is taken of one resource; resources that nobody has do not count. */
export function dominantPart(taken: Amounts, total: Amounts): number {
  let share = 0;
  for (let i = 0; i < WIDTH; i += 1) {
    const whole = total[i] as number;
    if (whole > 0) share = Math.max(share, (taken[i] as number) / whole);
  }
  return share;
}
