import { rm } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openLogStore } from '../../../node/storage/log-store.ts';
import { EMPTY_MODEL, makeCall, steps, takeStep } from './log-model.ts';
import { newFolder } from './temp-folder.ts';

/** Each starts dozens of databases. */
const SLOW_MS = 180_000;

/** Some calls are waited for, some share a sync with those behind them, some are followed by a restart. */
const move = fc.record({ step: steps, after: fc.constantFrom('go on', 'go on', 'wait', 'restart') });

test(
  'the store holds after any sequence of calls and restarts what a plain list would hold',
  async () => {
    const moves = fc.array(move, { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(moves, async (list) => {
        const folder = await newFolder();
        let store = await openLogStore(folder);
        let model = EMPTY_MODEL;
        let calls: Promise<void>[] = [];
        for (const { step, after } of [...list, { step: { kind: 'commit', by: 0 }, after: 'restart' } as const]) {
          const next = takeStep(model, step);
          calls.push(makeCall(store, next.call));
          model = next.model;
          if (after === 'go on') continue;
          await Promise.all(calls);
          calls = [];
          if (after === 'wait') continue;
          await store.close();
          store = await openLogStore(folder);
          expect(store.loaded).toEqual(model);
        }
        await store.close();
        await rm(folder, { recursive: true });
      }),
      { numRuns: 30 },
    );
  },
  SLOW_MS,
);
