import type { Page } from '../../src/api/views.ts';
import type { CommandContext } from './command-context.ts';
import { EXIT } from './exit-codes.ts';
import type { ConnectionOptions } from './options.ts';
import { table } from './table.ts';

/** One page of a list: a row for each item under a heading, or each item as JSON in a line of its own. */
export async function tellPage<Item>(
  { stdout, stderr }: CommandContext,
  { json }: ConnectionOptions,
  { items, nextCursor }: Page<Item>,
  { heading, rowOf }: { readonly heading: readonly string[]; readonly rowOf: (item: Item) => readonly string[] },
): Promise<number> {
  if (json === true) {
    for (const item of items) await stdout.json(item);
    return EXIT.done;
  }
  await stdout.line(table(heading, items.map(rowOf), stdout.columns));
  if (nextCursor !== null) await stderr.line(`There are more than these ${items.length}: --limit N`);
  return EXIT.done;
}
