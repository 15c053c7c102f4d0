import { VERSION } from '../version.ts';
import type { CommandContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';

export async function version(
  context: CommandContext,
  _operands: readonly [],
  options: { readonly json?: true },
): Promise<number> {
  const told = { version: VERSION, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
  if (options.json === true) await context.stdout.json(told);
  else await context.stdout.line(`quorate ${told.version} (Node ${told.node}, ${told.platform})`);
  return EXIT.done;
}
