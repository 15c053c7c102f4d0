import { readFileSync, writeFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Incarnation } from '../../src/ids.ts';
import type { AttemptLayout } from './layout.ts';
import { identifyProcess } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** What a later runner process needs to end the processes of one that died. */
export interface Meta extends ProcessIdentity {
  readonly incarnation: Incarnation;
}

/**
 * Most jobs that end at all soon end before this, and need no file. One that is left over from within this time is
 * found by its environment (see `recover`), which only Linux shows: elsewhere the file is written at once.
 */
const META_DELAY_MS = process.platform === 'linux' ? 20 : 0;

export function scheduleMeta(
  { logger }: { readonly logger: Logger },
  layout: AttemptLayout,
  job: { readonly pid: number; readonly incarnation: Incarnation },
  isRunning: () => boolean,
): void {
  const write = () => {
    if (!isRunning()) return;
    const identity = identifyProcess(job.pid);
    if (identity === null) return;
    try {
      writeFileSync(layout.meta, JSON.stringify({ ...identity, incarnation: job.incarnation }), { mode: 0o600 });
    } catch (err) {
      logger.warn({ err, path: layout.meta }, 'the process of a job cannot be noted');
    }
  };
  if (META_DELAY_MS === 0) write();
  else setTimeout(write, META_DELAY_MS).unref();
}

export function readMeta(layout: AttemptLayout): Meta | null {
  try {
    const meta = JSON.parse(readFileSync(layout.meta, 'utf8')) as Meta;
    return Number.isSafeInteger(meta.pid) && meta.pid > 1 ? meta : null;
  } catch {
    return null;
  }
}
