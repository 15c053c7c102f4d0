import { openLogStore } from '../../../node/storage/log-store.ts';
import { data, hardState, request } from './log-builders.ts';

/** A process to be killed: prints `term index` of what is durable, one line each. */
const store = await openLogStore(process.argv[2] ?? '');
const { hardState: loaded, entries } = store.loaded;
let term = loaded.term + 1;
let index = entries.length;
for (;;) {
  const calls = Array.from({ length: 5 }, () => {
    const at = ++index;
    if (at % 50 === 0) term++;
    const state = hardState(term);
    return store.persist(request({ hardState: state, entries: [data(at, state.term)] })).then(() => {
      process.stdout.write(`${state.term} ${at}\n`);
    });
  });
  await Promise.all(calls);
}
