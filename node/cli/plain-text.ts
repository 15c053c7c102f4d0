import { stripVTControlCharacters } from 'node:util';

/**
 * Text of others in one line: what it holds must not steer the terminal. That is control characters, the ends of lines,
 * and what turns the direction of writing or is not seen (Unicode's Bidi_Control, zero width and tags).
 */
export function plain(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replaceAll(/[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu, '');
}
