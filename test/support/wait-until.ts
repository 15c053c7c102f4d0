import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** Generous: it only ends a test that would hang. Verdicts never depend on speed. */
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/** Polls until `probe` gives something other than null, and returns that. A thrown error counts as null until the end. */
export async function waitUntil<Value>(
  what: string,
  probe: () => Promise<Value | null> | Value | null,
  { timeoutMs = 60_000, everyMs = 50 }: WaitOptions = {},
): Promise<Value> {
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown = null;
  for (;;) {
    try {
      const value = await probe();
      if (value !== null) return value;
      lastError = null;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      lastError = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: lastError });
    }
    await sleep(everyMs);
  }
}

/** Thrown by a probe when waiting longer is of no use. */
export class GiveUp extends Error {
  override readonly name = 'GiveUp';
}
