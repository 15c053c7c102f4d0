import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runScript } from './support/script/script.ts';

/**
 * Runs the scripts of test/raft/scripts, or those named, and prints which fail and where. With `--rewrite` it writes
 * down what they print now; read the difference before you commit it.
 */
const FOLDER = join(import.meta.dirname, 'scripts');
const names = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const rewrite = process.argv.includes('--rewrite');

const all = readdirSync(FOLDER).filter((file) => file.endsWith('.txt'));
const wanted = names.length === 0 ? all : names.map((name) => `${name}.txt`);
let failed = 0;
for (const file of wanted) {
  const path = join(FOLDER, file);
  const text = readFileSync(path, 'utf8');
  const actual = runScript(text);
  if (actual === text) continue;
  if (rewrite) writeFileSync(path, actual);
  else failed += 1;
  console.log(
    `${rewrite ? 'rewritten' : 'failed'} ${file.replace('.txt', '')}${rewrite ? '' : firstDifference(text, actual)}`,
  );
}
process.exitCode = failed > 0 ? 1 : 0;

function firstDifference(text: string, actual: string): string {
  const expected = text.split('\n');
  const printed = actual.split('\n');
  const line = expected.findIndex((wantedLine, position) => wantedLine !== printed[position]);
  return `, line ${line + 1}:\n  expected ${expected[line] ?? ''}\n  printed  ${printed[line] ?? ''}`;
}
