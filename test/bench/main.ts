import { parseArgs } from 'node:util';
import { blobs } from './blobs.ts';
import { consensus } from './consensus.ts';
import { costs } from './costs.ts';
import { failover } from './failover.ts';
import { graphs } from './graphs.ts';
import { jobs } from './jobs.ts';
import { lists } from './lists.ts';
import { describeMachine } from './machine.ts';
import { memory } from './memory.ts';
import { million } from './million.ts';
import { restart } from './restart.ts';
import { scheduling } from './scheduling.ts';
import { snapshot } from './snapshot.ts';
import { type BenchRun, formatTable, type Table } from './table.ts';

/** Measures the named tables, or all, on this machine and prints them. */
const TABLES: readonly Table[] = [
  jobs,
  costs,
  scheduling,
  graphs,
  consensus,
  restart,
  snapshot,
  lists,
  failover,
  memory,
  million,
  blobs,
];
const LEAST_COUNT = 10;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' }, scale: { type: 'string', default: '1' } },
});
const rounds = Number(flags.rounds);
const scale = Number(flags.scale);
const unknown = positionals.filter((name) => !TABLES.some((table) => table.name === name));
if (unknown.length > 0 || !(rounds >= 1) || !(scale > 0)) {
  const names = TABLES.map(({ name }) => name).join(', ');
  console.error(`usage: scripts/bench [TABLE …] [--rounds N] [--scale FACTOR]; the tables: ${names}`);
  process.exit(2);
}

const folders: { remove(): Promise<void> }[] = [];
const run: BenchRun = {
  rounds,
  scaled: (count) => Math.max(LEAST_COUNT, Math.round(count * scale)),
  tell: (text) => process.stderr.write(`${text}\n`),
  removeAtTheEnd: (folder) => folders.push(folder),
};

console.log(`${await describeMachine()}; medians of ${rounds} rounds${scale === 1 ? '' : `, counts × ${scale}`}\n`);
try {
  for (const table of TABLES) {
    if (positionals.length > 0 && !positionals.includes(table.name)) continue;
    console.log(formatTable(table, await table.measure(run)));
  }
} finally {
  for (const folder of folders) await folder.remove();
}
