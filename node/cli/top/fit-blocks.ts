import type { Block, Line } from './frame.ts';

/** Of a block: the empty line before it and its heading. */
const AROUND = 2;

/**
 * Puts blocks under one another in the rows that there are: each gets its part, and what one does not need goes to the
 * others. Where rows are left out, the last line tells how many.
 */
export function fitBlocks(blocks: readonly Block[], rows: number | null): Line[] {
  const wanted = blocks.map((block) => Math.max(1, block.rows.length) + AROUND);
  const given = rows === null ? wanted : divide(wanted, rows);
  return blocks.flatMap((block, i) => fitted(block, given[i] ?? 0));
}

function divide(wanted: readonly number[], rows: number): readonly number[] {
  const given = wanted.map(() => 0);
  let left = rows;
  while (left > 0) {
    const hungry = wanted.flatMap((want, i) => (want > (given[i] ?? 0) ? [i] : []));
    if (hungry.length === 0) break;
    const each = Math.max(1, Math.floor(left / hungry.length));
    for (const i of hungry) {
      const more = Math.min(each, left, (wanted[i] ?? 0) - (given[i] ?? 0));
      given[i] = (given[i] ?? 0) + more;
      left -= more;
    }
  }
  return given;
}

function fitted({ heading, rows }: Block, room: number): Line[] {
  if (room <= AROUND) return [];
  const shown = rows.length + AROUND <= room ? rows : rows.slice(0, room - AROUND - 1);
  const rest = rows.length - shown.length;
  return [
    { text: '', style: 'plain' },
    { text: heading, style: 'dim' },
    ...(rows.length === 0 ? [{ text: 'none', style: 'dim' } as const] : shown),
    ...(rest === 0 ? [] : [{ text: `… ${rest} more`, style: 'dim' } as const]),
  ];
}
