import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile, copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** The linter runs once over planted files; a rule that silently died is seen here and not years later. */

const ROOT = join(import.meta.dirname, '../..');

interface Finding {
  readonly code: string;
  readonly filename: string;
}

/** Path, source, and the rule that must object (null: none may). */
const PLANTED: readonly (readonly [string, string, string | null])[] = [
  ['raft/ok.ts', `import { value } from './value.ts';\nexport const ok = value;\n`, null],
  ['raft/value.ts', 'export const value = 1;\n', null],
  ['raft/inner/ok.ts', `import { value } from '../value.ts';\nexport const ok = value;\n`, null],
  ['raft/package.ts', `import { z } from 'zod';\nexport const bad = z;\n`, 'no-restricted-imports'],
  ['raft/scoped.ts', `import { x } from '@libp2p/crypto';\nexport const bad = x;\n`, 'no-restricted-imports'],
  [
    'raft/node-module.ts',
    `import { readFileSync } from 'node:fs';\nexport const bad = readFileSync;\n`,
    'no-restricted-imports',
  ],
  [
    'raft/bare-module.ts',
    `import { readFileSync } from 'fs';\nexport const bad = readFileSync;\n`,
    'no-restricted-imports',
  ],
  ['raft/domain.ts', `import { value } from '../src/value.ts';\nexport const bad = value;\n`, 'no-restricted-imports'],
  [
    'raft/type.ts',
    `import type { Value } from '../src/value.ts';\nexport type Bad = Value;\n`,
    'no-restricted-imports',
  ],
  [
    'raft/inner/domain.ts',
    `import { value } from '../../src/value.ts';\nexport const bad = value;\n`,
    'no-restricted-imports',
  ],
  ['raft/reexport.ts', `export { value } from '../node/value.ts';\n`, 'no-restricted-imports'],
  ['raft/lazy.ts', `export const bad = () => import('node:net');\n`, 'no-restricted-imports'],
  [
    'raft/detour.ts',
    `import { value } from './../src/value.ts';\nexport const bad = value;\n`,
    'no-restricted-imports',
  ],
  ['raft/clock.ts', `export const bad = () => Date.now();\n`, 'no-restricted-globals'],
  ['raft/timer.ts', `export const bad = () => setTimeout(() => undefined, 1);\n`, 'no-restricted-globals'],
  ['raft/random.ts', `export const bad = () => Math.random();\n`, 'no-restricted-properties'],
  ['raft/builtin.ts', `export const bad = () => process.getBuiltinModule('fs');\n`, 'no-restricted-globals'],

  [
    'src/ok.ts',
    `import { z } from 'zod';\nimport { value } from './value.ts';\nexport const ok = { z, value };\n`,
    null,
  ],
  ['src/value.ts', 'export const value = 1;\nexport type Value = number;\n', null],
  ['src/inner/ok.ts', `import { value } from '../value.ts';\nexport const ok = value;\n`, null],
  ['src/inner/deep/ok.ts', `import { value } from '../../value.ts';\nexport const ok = value;\n`, null],
  [
    'src/round.ts',
    `import { value } from './inner/../../node/value.ts';\nexport const bad = value;\n`,
    'no-restricted-imports',
  ],
  ['raft/inner/deep/ok.ts', `import { value } from '../../value.ts';\nexport const ok = value;\n`, null],
  ['src/other-package.ts', `import { Level } from 'level';\nexport const bad = Level;\n`, 'no-restricted-imports'],
  ['src/scoped.ts', `import { x } from '@libp2p/crypto';\nexport const bad = x;\n`, 'no-restricted-imports'],
  [
    'src/consensus.ts',
    `import { value } from '../raft/value.ts';\nexport const bad = value;\n`,
    'no-restricted-imports',
  ],
  [
    'src/inner/program.ts',
    `import { value } from '../../node/value.ts';\nexport const bad = value;\n`,
    'no-restricted-imports',
  ],
  [
    'src/detour.ts',
    `import { value } from './../node/value.ts';\nexport const bad = value;\n`,
    'no-restricted-imports',
  ],
  ['src/lazy.ts', `export const bad = () => import('node:net');\n`, 'no-restricted-imports'],
  ['src/computed.ts', `export const bad = (name: string) => import(name);\n`, 'import(no-dynamic-require)'],
  ['src/clock.ts', `export const bad = () => Date.now();\n`, 'no-restricted-properties'],
  ['src/client/ok.ts', `export const ok = () => fetch('http://127.0.0.1/');\n`, null],
  ['src/fetches.ts', `export const bad = () => fetch('http://127.0.0.1/');\n`, 'no-restricted-globals'],
  ...[
    'fs',
    'fs/promises',
    'net',
    'child_process',
    'http',
    'os',
    'worker_threads',
    'path',
    'crypto',
    'dgram',
    'tls',
  ].flatMap((name) =>
    [name, `node:${name}`].map(
      (specifier, index) =>
        [
          `src/module-${name.replaceAll(/[/_]/g, '-')}-${index}.ts`,
          `import * as bad from '${specifier}';\nexport const value = bad;\n`,
          'import(no-nodejs-modules)',
        ] as const,
    ),
  ),

  ['node/value.ts', 'export const value = 1;\n', null],
  [
    'node/ok.ts',
    `import { value } from '../raft/value.ts';\nimport { ok } from '../src/ok.ts';\nexport const both = { value, ok };\n`,
    null,
  ],
  ['node/cycle-a.ts', `import { b } from './cycle-b.ts';\nexport const a = (): unknown => b;\n`, 'import(no-cycle)'],
  ['node/cycle-b.ts', `import { a } from './cycle-a.ts';\nexport const b = (): unknown => a;\n`, 'import(no-cycle)'],
  [
    'node/floating.ts',
    `export function bad(work: () => Promise<void>): void {\n  work();\n}\n`,
    'no-floating-promises',
  ],
  [
    'node/misused.ts',
    `export const bad = (work: () => Promise<boolean>): string => (work() ? 'a' : 'b');\n`,
    'no-misused-promises',
  ],
  [
    'node/switch.ts',
    `export function bad(kind: 'a' | 'b'): number {\n  switch (kind) {\n    case 'a':\n      return 1;\n  }\n  return 2;\n}\n`,
    'switch-exhaustiveness-check',
  ],

  ['test/support/value.ts', 'export const value = 1;\n', null],
  [
    'test/raft/ok.test.ts',
    `import { value } from '../../raft/value.ts';\nimport { value as other } from '../support/value.ts';\nexport const ok = { value, other };\n`,
    null,
  ],
  [
    'test/raft/domain.test.ts',
    `import { value } from '../../src/value.ts';\nexport const bad = value;\n`,
    'no-restricted-imports',
  ],
  [
    'test/src/inner/consensus.test.ts',
    `import { value } from '../../../raft/value.ts';\nexport const bad = value;\n`,
    'no-restricted-imports',
  ],
];

describe('the import rule', () => {
  let folder: string;
  let found: ReadonlyMap<string, readonly string[]>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-lint-'));
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    for (const name of ['.oxlintrc.json', 'tsconfig.json']) await copyFile(join(ROOT, name), join(folder, name));
    for (const [path, source] of PLANTED) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), source);
    }
    found = await lint(folder);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it.each(PLANTED.filter(([, , rule]) => rule !== null))('objects to %s', (path, _source, rule) => {
    expect((found.get(path) ?? []).filter((code) => code.includes(rule ?? ''))).not.toEqual([]);
  });

  it.each(PLANTED.filter(([, , rule]) => rule === null))('has nothing against %s', (path) => {
    expect(found.get(path) ?? []).toEqual([]);
  });
});

async function lint(cwd: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const run = promisify(execFile)(join(ROOT, 'node_modules/.bin/oxlint'), ['--type-aware', '-f', 'json'], {
    cwd,
  }).catch((error: unknown) => error as { readonly stdout: string });
  const { diagnostics } = JSON.parse((await run).stdout) as { readonly diagnostics: readonly Finding[] };
  const byFile = new Map<string, string[]>();
  for (const { filename, code } of diagnostics) byFile.set(filename, [...(byFile.get(filename) ?? []), code]);
  return byFile;
}
