import { plain } from './plain-text.ts';
import { cut, padEnd, widthOf } from './text-width.ts';

const GAP = '  ';
/** What is left of the last column, however narrow the terminal: lines wrap then. */
const LAST_COLUMN_MIN = 8;

/**
 * Rows under a heading, each column as wide as its widest cell.
 * @param columns of the terminal: the last column is cut to fit it; null for no limit
 */
export function table(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number | null = null,
): string {
  const lines = [heading, ...rows.map((row) => row.map(plain))];
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))));
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0);
  const last = columns === null ? Infinity : Math.max(LAST_COLUMN_MIN, columns - before);
  return lines.map((line) => formatLine(line, widths, last)).join('\n');
}

/** Names and values, one a line; a null value is left out. */
export function fields(pairs: readonly (readonly [name: string, value: string | null])[]): string {
  const shown = pairs.flatMap(([name, value]) => (value === null ? [] : [[name, plain(value)]]));
  const width = Math.max(0, ...shown.map(([name = '']) => name.length));
  return shown.map(([name = '', value = '']) => `${name.padEnd(width)}${GAP}${value}`).join('\n');
}

function formatLine(cells: readonly string[], widths: readonly number[], last: number): string {
  return cells
    .map((cell, column) => (column === widths.length - 1 ? cut(cell, last) : padEnd(cell, widths[column] ?? 0)))
    .join(GAP)
    .trimEnd();
}
