import type { Command } from 'commander';
import { unreachable } from '../../src/errors.ts';
import type { CommandContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';

type Shell = 'bash' | 'zsh' | 'fish';

/** One command as a shell needs to know it. */
interface Node {
  /** The words that lead to it, without the program's name. */
  readonly path: readonly string[];
  readonly description: string;
  readonly flags: readonly Flag[];
  readonly children: readonly Node[];
  /** Words that its first operand is chosen from. */
  readonly choices: readonly string[];
}

interface Flag {
  readonly names: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

export async function completion(
  context: CommandContext,
  [shell]: readonly [shell: string],
  program: Command,
): Promise<number> {
  await context.stdout.write(completionScript(shell as Shell, program));
  return EXIT.done;
}

/** A script that knows every command and option of the tree; it asks no node and starts no process. */
export function completionScript(shell: Shell, program: Command): string {
  const nodes = flatten(nodeOf(program, []));
  switch (shell) {
    case 'bash':
      return bashScript(nodes);
    case 'zsh':
      return zshScript(nodes);
    case 'fish':
      return fishScript(nodes);
    default:
      return unreachable(shell);
  }
}

function nodeOf(command: Command, path: readonly string[]): Node {
  const help = command.createHelp();
  const flags = help.visibleOptions(command).map((option) => ({
    names: [option.short, option.long].filter((name) => name !== undefined),
    description: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  }));
  const children = help
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help')
    .map((child) => nodeOf(child, [...path, child.name()]));
  const choices = command.registeredArguments[0]?.argChoices ?? [];
  return { path, description: command.summary() || command.description(), flags, children, choices };
}

function flatten(node: Node): readonly Node[] {
  return [node, ...node.children.flatMap(flatten)];
}

/** What may stand after a command's own words. */
function wordsAfter(node: Node): readonly string[] {
  return [...node.children.map((child) => child.path.at(-1) ?? ''), ...node.choices];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function bashScript(nodes: readonly Node[]): string {
  const cases = nodes.map((node) => {
    const words = [...wordsAfter(node), ...node.flags.flatMap((flag) => flag.names)];
    const values = valueCases(node, {
      ofAny: "words=''; files=1",
      ofChoices: (choices) => `words=${quote(choices.join(' '))}`,
    });
    return [`    ${quote(node.path.join(' '))})`, `      words=${quote(words.join(' '))}`, ...values, '      ;;'].join(
      '\n',
    );
  });
  const parents = nodes.filter((node) => node.path.length > 0).map((node) => quote(node.path.join(' ')));
  return `# quorate completion for bash
_quorate() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path='' words='' files=0 index word
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    [[ $word == -- ]] && { COMPREPLY=($(compgen -f -- "$current")); return; }
    case "\${path:+$path }$word" in
      ${parents.join(' | ')}) path="\${path:+$path }$word" ;;
    esac
  done
  case $path in
${cases.join('\n')}
  esac
  if ((files)); then COMPREPLY=($(compgen -f -- "$current")); return; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [[ \${#COMPREPLY[@]} -eq 0 && $current != -* ]]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _quorate quorate
`;
}

/** What completes the value of the flag that stands before; the same syntax in both shells. */
function valueCases(
  node: Node,
  complete: { readonly ofAny: string; readonly ofChoices: (choices: readonly string[]) => string },
): readonly string[] {
  const valued = node.flags.filter((flag) => flag.takesValue);
  const any = valued.filter((flag) => flag.choices.length === 0).flatMap((flag) => flag.names);
  const chosen = valued.filter((flag) => flag.choices.length > 0);
  const lines = [
    ...(any.length === 0 ? [] : [`        ${any.join(' | ')}) ${complete.ofAny} ;;`]),
    ...chosen.map((flag) => `        ${flag.names.join(' | ')}) ${complete.ofChoices(flag.choices)} ;;`),
  ];
  return lines.length === 0 ? [] : ['      case $previous in', ...lines, '      esac'];
}

function zshScript(nodes: readonly Node[]): string {
  const cases = nodes.map((node) => {
    const words = [
      ...node.children.map((child) => describeForZsh(child.path.at(-1) ?? '', child.description)),
      ...node.choices.map((choice) => describeForZsh(choice, '')),
      ...node.flags.flatMap((flag) => flag.names.map((name) => describeForZsh(name, flag.description))),
    ];
    const values = valueCases(node, {
      ofAny: '_files; return',
      ofChoices: (choices) => `compadd -- ${choices.map(quote).join(' ')}; return`,
    });
    return [`    ${quote(node.path.join(' '))})`, ...values, `      entries=(${words.join(' ')})`, '      ;;'].join(
      '\n',
    );
  });
  const parents = nodes.filter((node) => node.path.length > 0).map((node) => quote(node.path.join(' ')));
  return `#compdef quorate
_quorate() {
  local previous=\${words[CURRENT-1]} place='' word
  local -a entries
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word == -- ]] && { _files; return; }
    case "\${place:+$place }$word" in
      ${parents.join(' | ')}) place="\${place:+$place }$word" ;;
    esac
  done
  case $place in
${cases.join('\n')}
  esac
  _describe 'quorate' entries || _files
}
if [[ \${funcstack[1]} == _quorate ]]; then _quorate "$@"; else compdef _quorate quorate; fi
`;
}

function describeForZsh(word: string, description: string): string {
  const name = word.replaceAll(':', '\\:');
  return quote(description === '' ? name : `${name}:${description}`);
}

function fishScript(nodes: readonly Node[]): string {
  const lines = nodes.flatMap((node) => {
    const condition = quote(`__quorate_at ${quote(node.path.join(' '))}`);
    return [
      ...node.children.map(
        (child) =>
          `complete -c quorate -f -n ${condition} -a ${quote(child.path.at(-1) ?? '')} -d ${quote(child.description)}`,
      ),
      ...node.choices.map((choice) => `complete -c quorate -f -n ${condition} -a ${quote(choice)}`),
      ...node.flags.map(
        (flag) => `complete -c quorate -n ${condition} ${fishFlag(flag)} -d ${quote(flag.description)}`,
      ),
    ];
  });
  const parents = nodes.filter((node) => node.path.length > 0).map((node) => quote(node.path.join(' ')));
  return `# quorate completion for fish
function __quorate_at
    set -l place
    for word in (commandline -opc)[2..]
        if contains -- "$place$word" ${parents.join(' ')}
            set place "$place$word "
        end
    end
    test (string trim -- "$place") = "$argv[1]"
end
${lines.join('\n')}
`;
}

function fishFlag(flag: Flag): string {
  const names = flag.names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  if (flag.takesValue) names.push('-r');
  if (flag.choices.length > 0) names.push(`-f -a ${quote(flag.choices.join(' '))}`);
  return names.join(' ');
}
