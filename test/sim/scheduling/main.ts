import { parseArgs } from 'node:util';
import { compare } from './compare.ts';
import { SCENARIOS } from './scenarios.ts';
import { comparisonLines, costLine } from './table.ts';

const NAMES = SCENARIOS.map(({ name }) => name);
const USAGE = `scripts/sim scheduling [SCENARIO …] [--runners N] [--jobs N] [--seed N]
  plays the scenarios, or all, and prints the table; the scenarios: ${NAMES.join(', ')}`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runners: { type: 'string', default: '100' },
    jobs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
  },
});
const sizing = { runners: Number(values.runners), jobs: Number(values.jobs), seed: Number(values.seed) };
const isSound = Object.values(sizing).every((value) => Number.isSafeInteger(value) && value >= 1);
if (!isSound || positionals.some((name) => !NAMES.includes(name))) {
  console.error(USAGE);
  process.exit(2);
}

for (const scenario of SCENARIOS) {
  if (positionals.length > 0 && !positionals.includes(scenario.name)) continue;
  const began = process.threadCpuUsage();
  const comparison = compare(scenario, sizing, (text) => process.stderr.write(`${text}\n`));
  const { user, system } = process.threadCpuUsage(began);
  console.log(`${comparisonLines(comparison).join('\n')}\n`);
  process.stderr.write(`${costLine(comparison, (user + system) / 1000)}\n`);
}
