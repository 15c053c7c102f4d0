import { Rejection } from '../../src/errors.ts';
import type { CommandResult } from '../../src/state/commands.ts';

/** @throws Rejection as apply decided it */
export function expectTaken(results: readonly CommandResult[]): void {
  for (const result of results) {
    if (result.ok) continue;
    throw new Rejection(result.code, result.message, result.field === undefined ? {} : { field: result.field });
  }
}
