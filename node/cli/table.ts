import { plain } from './plain-text.ts';

const GAP = '  ';

/** Rows under a heading, each column as wide as its widest cell. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heading, ...rows.map((row) => row.map(plain))];
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines.map((line) => formatLine(line, widths)).join('\n');
}

/** Names and values, one a line; a null value is left out. */
export function fields(pairs: readonly (readonly [name: string, value: string | null])[]): string {
  const shown = pairs.flatMap(([name, value]) => (value === null ? [] : [[name, plain(value)]]));
  const width = Math.max(0, ...shown.map(([name = '']) => name.length));
  return shown.map(([name = '', value = '']) => `${name.padEnd(width)}${GAP}${value}`).join('\n');
}

function formatLine(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => cell.padEnd(widths[column] ?? 0))
    .join(GAP)
    .trimEnd();
}
