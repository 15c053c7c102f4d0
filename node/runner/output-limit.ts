import { statSync, truncateSync } from 'node:fs';
import type { AttemptLayout } from './layout.ts';

export type OutputStream = 'stdout' | 'stderr';

/**
 * Jobs write straight into their files, so that they live on whatever happens to the runner; nothing stands between
 * that could drop bytes. So the files are looked at now and then, and at the end, and cut back to the limit. Both are
 * opened for appending: a cut leaves no hole and the next byte is written at the cut. A limit on the file size of the
 * process (RLIMIT_FSIZE) would hit every file that the job writes.
 */
export interface OutputSizes {
  readonly bytes: number;
  readonly cut: readonly OutputStream[];
}

export function limitOutput(layout: AttemptLayout, limitBytes: number): OutputSizes {
  const cut: OutputStream[] = [];
  let bytes = 0;
  for (const stream of ['stdout', 'stderr'] as const) {
    const size = statSync(layout[stream], { throwIfNoEntry: false })?.size ?? 0;
    bytes += Math.min(size, limitBytes);
    if (size <= limitBytes) continue;
    truncateSync(layout[stream], limitBytes);
    cut.push(stream);
  }
  return { bytes, cut };
}
