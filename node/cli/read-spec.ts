import type { CommandContext } from './command-context.ts';
import { nameOf, readText } from './read-input.ts';
import { UsageError } from './usage-error.ts';

/** One job spec as JSON, which the node checks; `-` reads standard input. @throws UsageError */
export async function readSpec(context: CommandContext, file: string): Promise<object> {
  const text = await readText(file, context.stdin, 'specBytes');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${nameOf(file)} is not JSON: ${error instanceof Error ? error.message : 'malformed'}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new UsageError(`${nameOf(file)} must hold one job spec`, `for many: quorate batch ${file}`);
}
