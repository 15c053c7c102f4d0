import { LIMITS } from '../limits.ts';

/**
 * Patterns of paths, as of outputs: `*`, `**`, `?`, `[…]`, `{a,b}`, which match no name that begins with a dot unless
 * the dot is written. Whoever submits a job writes them, so a match takes at most the product of both lengths, whatever
 * they are: regular expressions made of patterns may take for ever.
 */
export type PathPattern = (path: string) => boolean;

type Token = { readonly kind: 'any' } | { readonly kind: 'one'; readonly takes: (char: string) => boolean };
type Part = 'anyParts' | { readonly tokens: readonly Token[]; readonly takesDot: boolean };

const ANY: Token = { kind: 'any' };

/** @returns null when its braces stand for more than `LIMITS.patternAlternatives` */
export function pathPattern(pattern: string): PathPattern | null {
  const alternatives = expandBraces(pattern)?.map((one) => one.split('/').map(readPart));
  if (alternatives === undefined) return null;
  return (path) => {
    const names = path.split('/');
    return alternatives.some((parts) => matchesParts(parts, names));
  };
}

/** Braces without a partner or a comma stand for themselves. Null: too many. */
function expandBraces(pattern: string): readonly string[] | null {
  for (let open = pattern.indexOf('{'); open !== -1; open = pattern.indexOf('{', open + 1)) {
    const group = groupAt(pattern, open);
    if (group === null) continue;
    const tails = expandBraces(pattern.slice(group.end));
    if (tails === null) return null;
    const found: string[] = [];
    for (const alternative of group.alternatives) {
      const inner = expandBraces(alternative);
      if (inner === null || found.length + inner.length * tails.length > LIMITS.patternAlternatives) return null;
      for (const text of inner) for (const tail of tails) found.push(pattern.slice(0, open) + text + tail);
    }
    return found;
  }
  return [pattern];
}

function groupAt(pattern: string, open: number): { readonly alternatives: string[]; readonly end: number } | null {
  const alternatives: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let at = open; at < pattern.length; at += 1) {
    const char = pattern[at];
    if (char === '{') depth += 1;
    else if (char === ',' && depth === 1) {
      alternatives.push(pattern.slice(from, at));
      from = at + 1;
    } else if (char === '}') {
      depth -= 1;
      if (depth > 0) continue;
      if (alternatives.length === 0) return null;
      return { alternatives: [...alternatives, pattern.slice(from, at)], end: at + 1 };
    }
  }
  return null;
}

function readPart(text: string): Part {
  if (text === '**') return 'anyParts';
  const tokens: Token[] = [];
  const chars = Array.from(text);
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] ?? '';
    const set = char === '[' ? readSet(chars, at) : null;
    if (set !== null) {
      tokens.push(set.token);
      at = set.end;
    } else if (char === '*') tokens.push(ANY);
    else tokens.push({ kind: 'one', takes: char === '?' ? () => true : (other) => other === char });
  }
  return { tokens, takesDot: text.startsWith('.') };
}

/** From `[` to the `]` at `end`; one right behind the `[` is of the set. Null without an end. */
function readSet(chars: readonly string[], open: number): { readonly token: Token; readonly end: number } | null {
  const isNegated = chars[open + 1] === '!' || chars[open + 1] === '^';
  const from = isNegated ? open + 2 : open + 1;
  const end = chars.indexOf(']', from + 1);
  if (end === -1) return null;
  const ranges: (readonly [low: string, high: string])[] = [];
  for (let at = from; at < end; at += 1) {
    const low = chars[at] ?? '';
    const isRange = chars[at + 1] === '-' && at + 2 < end;
    ranges.push([low, isRange ? (chars[at + 2] ?? low) : low]);
    if (isRange) at += 2;
  }
  const takes = (char: string): boolean => ranges.some(([low, high]) => low <= char && char <= high) !== isNegated;
  return { token: { kind: 'one', takes }, end };
}

function matchesParts(parts: readonly Part[], names: readonly string[]): boolean {
  return matchesAll(parts, names, {
    isAny: (part) => part === 'anyParts',
    takes: (part, name) => part !== 'anyParts' && matchesName(part, name),
    mayPass: (name) => !name.startsWith('.'),
    // What ends with two stars is in the folder, not the folder itself.
    least: 1,
  });
}

function matchesName({ tokens, takesDot }: Exclude<Part, 'anyParts'>, name: string): boolean {
  if (name.startsWith('.') && !takesDot) return false;
  return matchesAll(tokens, Array.from(name), {
    isAny: ({ kind }) => kind === 'any',
    takes: (token, char) => token.kind === 'one' && token.takes(char),
    mayPass: () => true,
    least: 0,
  });
}

interface Rules<Pattern> {
  /** Stands for any number of items that may be passed. */
  readonly isAny: (pattern: Pattern) => boolean;
  readonly takes: (pattern: Pattern, item: string) => boolean;
  readonly mayPass: (item: string) => boolean;
  /** How many items one at the end stands for at least. */
  readonly least: 0 | 1;
}

/** Only the last `any` is ever widened: what is before it has matched as early as it can. */
function matchesAll<Pattern>(
  patterns: readonly Pattern[],
  items: readonly string[],
  { isAny, takes, mayPass, least }: Rules<Pattern>,
): boolean {
  let last: { readonly pattern: number; readonly item: number } | null = null;
  let pattern = 0;
  for (let at = 0; at < items.length;) {
    const next = patterns[pattern];
    if (next !== undefined && isAny(next)) {
      const isEnd = pattern === patterns.length - 1;
      if (isEnd) return items.length - at >= least && items.slice(at).every(mayPass);
      pattern += 1;
      last = { pattern, item: at };
    } else if (next !== undefined && takes(next, items[at] ?? '')) {
      pattern += 1;
      at += 1;
    } else {
      if (last === null || !mayPass(items[last.item] ?? '')) return false;
      last = { pattern: last.pattern, item: last.item + 1 };
      ({ pattern, item: at } = last);
    }
  }
  const rest = patterns.slice(pattern);
  return rest.length === 0 || (least === 0 && rest.every(isAny));
}
