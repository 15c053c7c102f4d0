import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FLAG_OF, SETTING_NAMES, variableOf } from '../../../node/config/settings.ts';

it('every setting is in the table of docs/command-line.md, and nothing else', async () => {
  const text = await readFile(join(import.meta.dirname, '../../../docs/command-line.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `(--[\w-]+)` +\| `(\w+)` +\| `(\w+)`/gm)].map(([, ...cells]) => cells.join(' '));
  const settings = SETTING_NAMES.map((name) => `${FLAG_OF[name]} ${variableOf(name)} ${name}`);
  expect(rows.toSorted()).toEqual(settings.toSorted());
});
