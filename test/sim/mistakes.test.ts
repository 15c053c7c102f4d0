import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MISTAKES } from './mistakes.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The search for them takes too long to be made at each change; that they can still be made is seen here. */
test.each(MISTAKES)('"$name" stands where it is to be made, once', ({ mutations }) => {
  for (const { file, find } of mutations) {
    expect(readFileSync(join(ROOT, file), 'utf8').split(find), find).toHaveLength(2);
  }
});
