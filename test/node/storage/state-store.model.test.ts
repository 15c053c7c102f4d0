import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isFinal } from '../../../src/jobs/job.ts';
import type { StateRecord } from '../../../src/state/records.ts';
import { openStateStore } from '../../../node/storage/state-store.ts';
import { collect, contents } from './state-builders.ts';
import type { StateModel } from './state-model.ts';
import { AMONG, changes, isAmong, jobsOf, keptOf, recordsOf, takeChanges } from './state-model.ts';
import { damage, damaged } from './damage.ts';
import { crashCopy, newFolder } from './temp-folder.ts';

/** Each starts dozens of databases. */
const SLOW_MS = 180_000;

const move = fc.record({ records: changes, after: fc.constantFrom('go on', 'go on', 'wait', 'flush', 'restart') });

test(
  'the store holds after any sequence of writes, flushes and restarts what a plain map would hold',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 25 }), async (moves) => {
        const folder = await newFolder();
        let store = await openStateStore(folder);
        let model: StateModel = new Map();
        let applied = 0;
        for (const { records, after } of moves) {
          model = takeChanges(model, records);
          const writing = store.write(records, ++applied);
          if (after === 'wait') await writing;
          if (after === 'flush') await store.flush();
          if (after !== 'restart') continue;
          await store.close();
          store = await openStateStore(folder);
          expect(await contents(store)).toEqual({ applied, records: recordsOf(model) });
        }
        expect(await store.firstToGo(100)).toEqual(keptOf(model));
        for (const among of AMONG) {
          const expected = jobsOf(model).filter((job) => isAmong(job, among));
          expect(await collect(store.jobsAmong(among, null))).toEqual(expected);
        }
        expect(await collect(store.liveJobs(null))).toEqual(jobsOf(model).filter((job) => !isFinal(job)));
        expect(await store.countFinal()).toBe(keptOf(model).length);
        for (const [, record] of model) expect(await store.get(record.table, record.key)).toEqual(record.value);
        const ids = (await collect(store.jobs(null))).map(({ id }) => id);
        expect(ids).toEqual([...ids].sort().reverse());
        await store.close();
        await rm(folder, { recursive: true });
      }),
      { numRuns: 30 },
    );
  },
  SLOW_MS,
);

describe('damage to what was not synced', () => {
  test(
    'leaves a state that was once written, not older than the last flush',
    async () => {
      let older = 0;
      const history = fc.array(fc.tuple(changes, fc.nat(9)), { minLength: 2, maxLength: 25 });
      await fc.assert(
        fc.asyncProperty(history, fc.array(damage, { minLength: 4, maxLength: 4 }), async (list, damages) => {
          const folder = await newFolder();
          const { states, flushed } = await live(folder, list);
          for (const each of damages) {
            const copy = join(folder, 'copy');
            await crashCopy(join(folder, 'state-1'), join(copy, 'state-1'));
            await damageLog(join(copy, 'state-1'), each);
            const store = await openStateStore(copy);
            const found = await contents(store);
            await store.close();
            expect(found.applied).toBeGreaterThanOrEqual(flushed);
            expect(found.records).toEqual(states[found.applied]);
            if (found.applied < states.length - 1) older++;
          }
          await rm(folder, { recursive: true });
        }),
        { numRuns: 25 },
      );
      expect(older).toBeGreaterThan(0);
    },
    SLOW_MS,
  );

  /** The contents at each applied index, and the index of the last flush. */
  async function live(folder: string, list: readonly (readonly [readonly StateRecord[], number])[]) {
    const store = await openStateStore(folder);
    let model: StateModel = new Map();
    const states = [recordsOf(model)];
    let flushed = 0;
    for (const [records, chance] of list) {
      model = takeChanges(model, records);
      await store.write(records, states.length);
      states.push(recordsOf(model));
      if (chance > 0) continue;
      await store.flush();
      flushed = states.length - 1;
    }
    await store.close();
    return { states, flushed };
  }

  async function damageLog(folder: string, what: Parameters<typeof damaged>[1]): Promise<void> {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.log')).sort();
    const path = join(folder, names.at(-1) ?? 'none');
    await writeFile(path, damaged(await readFile(path), what));
  }
});
