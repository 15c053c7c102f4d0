import { createRequire } from 'node:module';
import type * as StringWidth from 'string-width';

/** Of one column each, and one code unit. */
const SIMPLE = /^[\x20-\x7e…█░]*$/;

/** Columns that text takes on a terminal; what steers terminals must not be in it. */
export function widthOf(text: string): number {
  return SIMPLE.test(text) ? text.length : measure(text);
}

/** No wider than `columns`; what was cut off ends in an ellipsis. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  if (columns <= 0) return '';
  if (SIMPLE.test(text)) return `${text.slice(0, columns - 1)}…`;
  let kept = '';
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    width += widthOf(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

/** Loaded by the first text that needs it: that takes longer than all else that a command loads. */
function measure(text: string): number {
  const { default: stringWidth } = createRequire(import.meta.url)('string-width') as typeof StringWidth;
  return stringWidth(text);
}
