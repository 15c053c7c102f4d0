import { Stage } from './stage.ts';
import { commandNamed } from './commands.ts';
import { Words } from './words.ts';

/**
 * Runs the commands of a script, in order, in a new cluster, and returns the script's text with what each of them
 * printed in place of what was written below it. A script is right when nothing changes. A command that throws, and
 * so one that breaks an invariant, prints that and ends the script.
 */
export function runScript(text: string): string {
  const stage = new Stage();
  const lines: string[] = [];
  let failed = false;
  for (const line of text.split('\n')) {
    if (isOutput(line)) continue;
    lines.push(line);
    if (!line.startsWith('> ') || failed) continue;
    const printed = perform(stage, line.slice(2).trim());
    failed = printed.failed;
    lines.push(...printed.lines.map((output) => `  ${output}`));
  }
  return lines.join('\n');
}

/** Printed by the runner, and so written anew. */
function isOutput(line: string): boolean {
  return line.startsWith('  ');
}

function perform(stage: Stage, line: string): { readonly lines: readonly string[]; readonly failed: boolean } {
  const [name = '', ...words] = line.split(/\s+/);
  try {
    commandNamed(name)(stage, new Words(words));
    return { lines: stage.takeLines(), failed: false };
  } catch (error) {
    return {
      lines: [...stage.takeLines(), `! ${error instanceof Error ? error.message : String(error)}`],
      failed: true,
    };
  }
}
