import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runScript } from './support/script/script.ts';

const FOLDER = join(import.meta.dirname, 'scripts');
const NAMES = readdirSync(FOLDER).filter((file) => file.endsWith('.txt'));

describe('scripts (test/raft/scripts/README.md; rewritten by scripts/raft-scripts --rewrite)', () => {
  test.each(NAMES)('%s', (name) => {
    const text = readFileSync(join(FOLDER, name), 'utf8');
    expect(runScript(text)).toBe(text);
  });

  test.each(NAMES)('%s names a rule and a source, and runs to its end', (name) => {
    const text = readFileSync(join(FOLDER, name), 'utf8');
    const head = text.slice(0, text.indexOf('\n\n'));
    expect(head.split('\n').every((line) => line.startsWith('# '))).toBe(true);
    expect(head.split('\n').length).toBeGreaterThan(1);
    expect(text).not.toContain('\n  ! ');
  });
});

describe('a script', () => {
  test('is written anew with what its commands print', () => {
    const text = '# Rule.\n\n> cluster a\n> tick a\n  nonsense\n# why\n> status a\n';
    expect(runScript(text)).toBe(
      [
        '# Rule.\n',
        '> cluster a',
        '> tick a',
        '  a campaigns (term 1)',
        '  a writes !1: term 1 vote a commit 0',
        '# why',
        '> status a',
        '  a candidate (term 1), log empty, disk 0, commit 0, applied 0, [a]',
        '',
      ].join('\n'),
    );
  });

  test.each([
    ['no command', '> cluster a\n> fly a', 'no command fly'],
    ['no cluster', '> tick a', 'a script begins with the command cluster'],
    ['nothing to deliver', '> cluster a b\n> deliver a>b', 'no such message is on its way'],
    ['nothing to write', '> cluster a b\n> write a', 'nothing is being written'],
    ['a number that is none', '> cluster a\n> run soon', 'soon is not a number'],
  ])('shows and ends at a mistake: %s', (_what, text, message) => {
    expect(runScript(`${text}\n> status`)).toBe(`${text}\n  ! ${message}\n> status`);
  });
});
