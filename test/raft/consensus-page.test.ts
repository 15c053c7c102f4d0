import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/consensus.md'), 'utf8');
const scripts = readdirSync(join(ROOT, 'test/raft/scripts'))
  .filter((file) => file.endsWith('.txt'))
  .map((file) => file.replace('.txt', ''));

test.each(scripts)('docs/consensus.md names the script %s', (script) => {
  expect(page).toContain(`\`${script}\``);
});

test('docs/consensus.md names only scripts, tests and sources that there are', () => {
  const names = [...page.matchAll(/`([a-z/-]+(?:\.ts|\/|(?=`)))`/g)].map(([, name = '']) => name);
  const missing = names.filter((name) => {
    if (name.includes('-') && !name.includes('.') && !name.includes('/')) return !scripts.includes(name);
    if (!name.endsWith('.ts') && !name.endsWith('/')) return false;
    return !['', 'raft', 'test/raft'].some((folder) => existsSync(join(ROOT, folder, name)));
  });
  expect(names.length).toBeGreaterThan(100);
  expect(missing).toEqual([]);
});
