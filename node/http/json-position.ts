/**
 * Where text stops being JSON: the index of the first character that cannot stand there, or the length when the text
 * ends too early; null when it is JSON. JSON.parse tells a position for some mistakes only, so this is run after it
 * has refused a text.
 */
export function jsonErrorPosition(text: string): number | null {
  const closers: string[] = [];
  let at = skipSpace(text, 0);
  for (;;) {
    const opened = text[at];
    if (opened === '{' || opened === '[') {
      const inner = skipSpace(text, at + 1);
      closers.push(opened === '{' ? '}' : ']');
      if (text[inner] === closers.at(-1)) {
        at = inner + 1;
        closers.pop();
      } else {
        const next = opened === '{' ? keyEnd(text, inner) : { ok: true, at: inner };
        if (!next.ok) return next.at;
        at = next.at;
        continue;
      }
    } else {
      const value = scalarEnd(text, at);
      if (!value.ok) return value.at;
      at = value.at;
    }
    at = skipSpace(text, at);
    while (closers.length > 0 && text[at] === closers.at(-1)) {
      closers.pop();
      at = skipSpace(text, at + 1);
    }
    if (closers.length === 0) return at === text.length ? null : at;
    if (text[at] !== ',') return at;
    at = skipSpace(text, at + 1);
    if (closers.at(-1) === '}') {
      const key = keyEnd(text, at);
      if (!key.ok) return key.at;
      at = key.at;
    }
  }
}

interface End {
  readonly ok: boolean;
  readonly at: number;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\n\r'.includes(text[at] ?? '')) at += 1;
  return at;
}

/** Behind `"key" :` and the space that follows. */
function keyEnd(text: string, from: number): End {
  if (text[from] !== '"') return { ok: false, at: from };
  const key = scalarEnd(text, from);
  if (!key.ok) return key;
  const colon = skipSpace(text, key.at);
  if (text[colon] !== ':') return { ok: false, at: colon };
  return { ok: true, at: skipSpace(text, colon + 1) };
}

const WORD_OR_NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

function scalarEnd(text: string, from: number): End {
  if (text[from] === '"') return stringEnd(text, from);
  WORD_OR_NUMBER.lastIndex = from;
  if (WORD_OR_NUMBER.test(text)) return { ok: true, at: WORD_OR_NUMBER.lastIndex };
  return { ok: false, at: from };
}

function stringEnd(text: string, from: number): End {
  let at = from + 1;
  while (at < text.length) {
    const character = text[at] ?? '';
    if (character === '"') return { ok: true, at: at + 1 };
    if (character < ' ') break;
    if (character !== '\\') {
      at += 1;
      continue;
    }
    ESCAPE.lastIndex = at;
    if (!ESCAPE.test(text)) break;
    at = ESCAPE.lastIndex;
  }
  return { ok: false, at };
}
