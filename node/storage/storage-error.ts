import { Fault, Rejection } from '../../src/errors.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT']);
const FULL_TEXT = /No space left on device|Disk quota exceeded/;

/** What the disk or LevelDB threw, as an error with a code. Errors that already have one pass through. */
export function storageError(error: unknown, doing: string): Fault | Rejection {
  if (error instanceof Fault || error instanceof Rejection) return error;
  const causes = chainOf(error);
  const text = causes.map((cause) => cause.message).join(': ');
  const has = (code: string) => causes.some((cause) => cause.code === code);
  if (causes.some((cause) => FULL.has(cause.code ?? '')) || FULL_TEXT.test(text)) {
    return new Fault('diskFull', `the disk is full: ${doing}`, { cause: error });
  }
  if (has('LEVEL_LOCKED')) return new Rejection('conflict', `another process uses it: ${doing}`);
  if (has('LEVEL_CORRUPTION')) return new Fault('corrupt', `damaged data: ${doing}: ${text}`, { cause: error });
  return new Fault('diskFailed', `${doing}: ${text}`, { cause: error });
}

interface Cause {
  readonly code: string | undefined;
  readonly message: string;
}

function chainOf(error: unknown): readonly Cause[] {
  const chain: Cause[] = [];
  for (let at = error; at instanceof Error && chain.length < 8; at = at.cause) {
    const code = 'code' in at && typeof at.code === 'string' ? at.code : undefined;
    chain.push({ code, message: at.message });
  }
  return chain;
}
