import type { Command } from 'commander';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Output } from '../../../node/cli/output.ts';
import { buildProgram } from '../../../node/cli/program.ts';
import { FLAG_OF } from '../../../node/config/settings.ts';

const program = buildProgram(
  {
    env: {},
    stdin: new PassThrough(),
    stdout: new Output(new PassThrough()),
    stderr: new Output(new PassThrough()),
    onSignal: () => () => undefined,
    onExit: () => () => undefined,
  },
  () => undefined,
);

function pathsOf(command: Command, path: readonly string[] = []): readonly (readonly [string, Command])[] {
  return command.commands.flatMap((child) => {
    const own = [...path, child.name()];
    return [[own.join(' '), child] as const, ...pathsOf(child, own)];
  });
}

const all = pathsOf(program);
const leaves = all.filter(([, command]) => command.commands.length === 0);

describe('the commands', () => {
  it('are those of the contract', () => {
    expect(leaves.map(([path]) => path).sort()).toEqual(
      [
        ['dev', 'up', 'run', 'submit', 'batch', 'jobs', 'status', 'wait', 'logs', 'events', 'get', 'cancel', 'retry'],
        ['explain', 'group create', 'group list', 'group status', 'group close', 'group cancel', 'group wait'],
        ['list', 'show', 'set', 'pause', 'resume', 'reset'].map((name) => `queues ${name}`),
        ['create', 'list', 'show', 'set', 'pause', 'resume', 'trigger', 'delete'].map((name) => `schedule ${name}`),
        [
          'top',
          'runners',
          'drain',
          'undrain',
          'cluster status',
          'cluster add',
          'cluster demote',
          'cluster release',
          'cluster remove',
          'cluster set',
          'cluster transfer',
        ],
        ['token create', 'token list', 'token revoke', 'blob put', 'blob get', 'blob stat', 'completion', 'version'],
        ['backup', 'restore', 'recover', 'rejoin'],
      ]
        .flat()
        .sort(),
    );
  });

  it.each(all)('%s tells what it does and what each option means', (_path, command) => {
    expect(command.description()).not.toBe('');
    for (const option of command.options) expect(option.description, option.flags).not.toBe('');
    expect(command.helpInformation()).toContain('Usage: quorate');
  });

  const local = ['dev', 'up', 'completion', 'version', 'recover', 'restore'];
  it.each(leaves.filter(([path]) => !local.includes(path)))('%s takes --url, --token and --json', (_path, command) => {
    expect(command.options.map((option) => option.long)).toEqual(
      expect.arrayContaining(['--url', '--token', '--json']),
    );
  });

  it.each(['dev', 'up'])('%s takes every setting of a node as a flag', (name) => {
    const command = all.find(([path]) => path === name)?.[1];
    const flags = command?.options.map((option) => option.long);
    expect(flags).toEqual(expect.arrayContaining(Object.values(FLAG_OF)));
    expect(flags).toContain('--config');
  });

  it('tell their environment and exit codes in the help', () => {
    let help = '';
    program.configureOutput({ writeOut: (text) => (help += text) });
    program.outputHelp();
    for (const word of ['QUORATE_URL', 'QUORATE_TOKEN', '3 no node reachable', 'quorate dev'])
      expect(help).toContain(word);
  });
});
