import { parseDuration } from '../../src/units.ts';
import { UsageError } from './usage-error.ts';

/** In milliseconds. @throws UsageError */
export function durationOf(flag: string, text: string): number {
  try {
    return parseDuration(text);
  } catch {
    throw new UsageError(`${flag} must be a duration such as 90s, 10m or 1h, not ${text}`);
  }
}
