import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatCount } from './format.ts';
import type { ConnectionOptions } from './options.ts';

type Operands = readonly [id: string];

export function drain(context: CommandContext, operands: Operands, options: ConnectionOptions): Promise<number> {
  return setMode(context, operands, options, 'drain');
}

export function undrain(context: CommandContext, operands: Operands, options: ConnectionOptions): Promise<number> {
  return setMode(context, operands, options, 'undrain');
}

async function setMode(
  context: CommandContext,
  [id]: Operands,
  options: ConnectionOptions,
  mode: 'drain' | 'undrain',
): Promise<number> {
  const runner = await connect(context, options).runners[mode](id);
  const running = formatCount(runner.running.length, 'job');
  if (options.json === true) await context.stdout.json(runner);
  else await context.stdout.line(`${runner.id} ${runner.state}, ${running} there`);
  return EXIT.done;
}
