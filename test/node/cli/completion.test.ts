import { execFileSync } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { completionScript } from '../../../node/cli/completion.ts';
import { Output } from '../../../node/cli/output.ts';
import { buildProgram } from '../../../node/cli/program.ts';

const streams = {
  stdin: new PassThrough(),
  stdout: new Output(new PassThrough()),
  stderr: new Output(new PassThrough()),
};
const program = buildProgram(
  { env: {}, ...streams, onSignal: () => () => undefined, onExit: () => () => undefined },
  () => undefined,
);

/** What bash offers when the last word is completed. */
function inBash(...words: readonly string[]): readonly string[] {
  const script = `${completionScript('bash', program)}
COMP_WORDS=(quorate "$@"); COMP_CWORD=$#; _quorate; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const stdout = execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8', cwd: import.meta.dirname });
  return stdout.split('\n').filter((word) => word !== '');
}

describe('completion in bash', () => {
  it.each([
    [[''], ['dev', 'up', 'run', 'cluster', '--url']],
    [['cl'], ['cluster']],
    [
      ['cluster', ''],
      ['status', 'add', 'remove', 'transfer'],
    ],
    [['cluster', 'add', '--t'], ['--token']],
    [
      ['up', '--run'],
      ['--runner-lease', '--runner-lost-after'],
    ],
    [['jobs', '--state', 'f'], ['failed']],
    [
      ['top', '--'],
      ['--once', '--interval', '--json'],
    ],
    [
      ['group', 'wait', '--'],
      ['--close', '--quiet'],
    ],
    [
      ['schedule', ''],
      ['create', 'list', 'trigger'],
    ],
    [['completion', 'z'], ['zsh']],
    [['re'], ['recover', 'rejoin', 'restore']],
    [
      ['rejoin', '--'],
      ['--data', '--join'],
    ],
    [
      ['token', 'create', '--u'],
      ['--url', '--uses'],
    ],
  ])('of %j offers %j', (words, offered) => {
    expect(inBash(...words)).toEqual(expect.arrayContaining(offered));
  });

  it('does not take the value of a flag for a command', () => {
    expect(inBash('cluster', '--url', 'jobs', 'a')).toEqual(['add']);
  });

  it('offers files where a file is wanted, and behind --', () => {
    expect(inBash('up', '--config', 'completion.')).toEqual(['completion.test.ts']);
    expect(inBash('run', '--', 'completion.')).toEqual(['completion.test.ts']);
  });
});

describe.each(['bash', 'zsh', 'fish'] as const)('the script for %s', (shell) => {
  it('knows every command and every long option', () => {
    const script = completionScript(shell, program);
    for (const command of program.commands.flatMap((one) => [one, ...one.commands])) {
      expect(script).toContain(command.name());
      for (const { long } of command.options)
        expect(script).toContain(shell === 'fish' ? `-l ${long?.slice(2)}` : long);
    }
  });
});
