import type { RunnerView } from '../../src/api/views.ts';
import type { CommandContext } from './command-context.ts';
import { connect } from './connect.ts';
import { EXIT } from './exit-codes.ts';
import { formatSize } from './format.ts';
import type { ConnectionOptions } from './options.ts';
import { table } from './table.ts';

const HEADING = ['ID', 'STATE', 'JOBS', 'CPU FREE', 'MEMORY FREE', 'LOAD', 'LABELS'];

export async function runners(
  context: CommandContext,
  _operands: readonly [],
  options: ConnectionOptions,
): Promise<number> {
  const found = await connect(context, options).runners.list();
  if (options.json === true) for (const runner of found) await context.stdout.json(runner);
  else await context.stdout.line(table(HEADING, found.map(rowOf), context.stdout.columns));
  return EXIT.done;
}

function rowOf({ id, state, running, free, total, load, labels }: RunnerView): readonly string[] {
  return [
    id,
    state,
    String(running.length),
    `${free.cpu} of ${total.cpu}`,
    `${formatSize(free.memory)} of ${formatSize(total.memory)}`,
    load === null ? '' : load.load1.toFixed(2),
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  ];
}
