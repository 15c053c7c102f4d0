import { join } from 'node:path';
import type { Timestamp } from '../../src/jobs/job.ts';
import type { Remover } from './remover.ts';

export interface RetentionLimits {
  readonly attempts: number;
  readonly ageMs: number;
  readonly bytes: number;
}

export interface KeptAttempt {
  readonly name: string;
  readonly endedAt: Timestamp;
  readonly bytes: number;
}

/** Keeps the output of the attempts that ended last; what passes a limit goes, the oldest first. */
export interface Retention {
  /** An attempt of this name has ended, and its output is kept, be it none. */
  keeps(name: string): boolean;
  keep(attempt: KeptAttempt): void;
  removeOld(now: Timestamp): void;
}

export function createRetention(
  { remover }: { readonly remover: Remover },
  { folder, limits }: { readonly folder: string; readonly limits: RetentionLimits },
): Retention {
  const kept = new Map<string, KeptAttempt>();
  let bytes = 0;

  function isPast(oldest: KeptAttempt, now: Timestamp): boolean {
    return kept.size > limits.attempts || bytes > limits.bytes || now - oldest.endedAt > limits.ageMs;
  }

  function removeOld(now: Timestamp): void {
    for (const oldest of kept.values()) {
      if (!isPast(oldest, now)) return;
      kept.delete(oldest.name);
      bytes -= oldest.bytes;
      remover.remove(join(folder, oldest.name));
    }
  }

  return {
    keeps: (name) => kept.has(name),
    keep(attempt) {
      kept.set(attempt.name, attempt);
      bytes += attempt.bytes;
      removeOld(attempt.endedAt);
    },
    removeOld,
  };
}
