import { isUtf8 } from 'node:buffer';

/** Something that stands where a job should. After `broken` nothing more can be told apart. */
export type LineTrouble =
  { readonly kind: 'oversized' } | { readonly kind: 'notUtf8' } | { readonly kind: 'broken'; readonly detail: string };

/** The text of one job, or what is wrong in its place. */
export type BatchText = string | LineTrouble;

/**
 * Cuts the bytes of a batch into the texts of its jobs, holding no more than one chunk and one unfinished job.
 * `next` is called until it gives null before more is pushed.
 */
export interface BatchSplitter {
  push(chunk: Buffer): void;
  end(): void;
  next(): BatchText | null;
}

const OVERSIZED: LineTrouble = { kind: 'oversized' };
const NOT_UTF8: LineTrouble = { kind: 'notUtf8' };

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Takes lines or one array: the first character that is no space tells which. */
export function splitBatch(maxTextBytes: number): BatchSplitter {
  let splitter: BatchSplitter | null = null;
  return {
    push(chunk) {
      if (splitter !== null) return splitter.push(chunk);
      const first = chunk.findIndex((byte) => !isSpace(byte));
      if (first === -1) return;
      splitter = chunk[first] === OPEN_ARRAY ? splitArray(maxTextBytes) : splitLines(maxTextBytes);
      splitter.push(chunk.subarray(first));
    },
    end: () => splitter?.end(),
    next: () => splitter?.next() ?? null,
  };
}

/** NDJSON. Blank lines count for nothing. */
function splitLines(maxTextBytes: number): BatchSplitter {
  const unfinished = new Unfinished(maxTextBytes);
  // Whole lines of one chunk are decoded at once and sliced: a call of the decoder for each line costs more.
  let block = '';
  let at = 0;
  /** Lines that were cut one by one. They come before the block. */
  let single: BatchText[] = [];
  let taken = 0;

  function finishLine(bytes: Buffer): void {
    const line = unfinished.finish(bytes);
    if (typeof line !== 'string' || !isBlank(line)) single.push(line);
  }

  function finishEach(lines: Buffer): void {
    for (let from = 0; from < lines.length;) {
      const newline = lines.indexOf(NEWLINE, from);
      finishLine(lines.subarray(from, newline));
      from = newline + 1;
    }
  }

  function nextOfBlock(): BatchText | null {
    while (at < block.length) {
      const newline = block.indexOf('\n', at);
      const line = block.slice(at, newline);
      at = newline + 1;
      if (isBlank(line)) continue;
      return isOversized(line, maxTextBytes) ? OVERSIZED : line;
    }
    return null;
  }

  return {
    push(chunk) {
      const end = chunk.lastIndexOf(NEWLINE) + 1;
      if (end === 0) return unfinished.add(chunk);
      let start = 0;
      if (!unfinished.empty) {
        start = chunk.indexOf(NEWLINE) + 1;
        finishLine(chunk.subarray(0, start - 1));
      }
      const whole = chunk.subarray(start, end);
      if (isUtf8(whole)) {
        block = whole.toString('utf8');
        at = 0;
      } else {
        finishEach(whole);
      }
      if (end < chunk.length) unfinished.add(chunk.subarray(end));
    },
    end() {
      if (!unfinished.empty) finishLine(Buffer.alloc(0));
    },
    next() {
      const line = single[taken];
      if (line !== undefined) {
        taken += 1;
        return line;
      }
      single = [];
      taken = 0;
      return nextOfBlock();
    },
  };
}

/**
 * One JSON array; its bracket is the first byte. Only strings and nesting are followed, to see which commas part the elements; whether an element is
 * JSON is for the parser to say.
 */
function splitArray(maxTextBytes: number): BatchSplitter {
  const unfinished = new Unfinished(maxTextBytes);
  let phase: 'before' | 'elements' | 'after' | 'broken' = 'before';
  let chunk: Buffer = Buffer.alloc(0);
  let at = 0;
  let depth = 0;
  let inString = false;
  let escaped = false;
  let elements = 0;
  let trouble: LineTrouble | null = null;

  function fail(detail: string): LineTrouble {
    phase = 'broken';
    return { kind: 'broken', detail };
  }

  /** The index of the comma or bracket that ends the element under way, or the chunk's length. */
  function findEnd(): number {
    for (let index = at; index < chunk.length; index += 1) {
      const byte = chunk[index];
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) {
        inString = true;
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        depth += 1;
      } else if (depth === 0) {
        if (byte === COMMA || byte === CLOSE_ARRAY) return index;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        depth -= 1;
      }
    }
    return chunk.length;
  }

  function nextElement(): BatchText | null {
    const end = findEnd();
    if (end === chunk.length) {
      unfinished.add(chunk.subarray(at));
      at = end;
      return null;
    }
    const text = unfinished.finish(chunk.subarray(at, end));
    at = end + 1;
    if (chunk[end] === CLOSE_ARRAY) {
      phase = 'after';
      if (elements === 0 && typeof text === 'string' && isBlank(text)) return null;
    }
    elements += 1;
    return text;
  }

  function expectNothingMore(): LineTrouble | null {
    while (at < chunk.length && isSpace(chunk[at] ?? 0)) at += 1;
    return at === chunk.length ? null : fail('something follows behind the array; it was not read');
  }

  return {
    push(bytes) {
      chunk = bytes;
      at = 0;
      if (phase !== 'before') return;
      at = 1;
      phase = 'elements';
    },
    end() {
      if (phase === 'elements') trouble = fail('the array is not closed; its last element was not taken');
    },
    next() {
      if (trouble !== null) {
        const told = trouble;
        trouble = null;
        return told;
      }
      if (phase === 'elements') {
        const text = nextElement();
        if (text !== null) return text;
      }
      return phase === 'after' ? expectNothingMore() : null;
    },
  };
}

/** The pieces of a text that goes on in the next chunk. Past the limit they are dropped and only that is kept. */
class Unfinished {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get empty(): boolean {
    return this.#bytes === 0;
  }

  add(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.#maxBytes) this.#pieces = [];
    else this.#pieces.push(piece);
    // A client that sends single bytes must not make a list of as many buffers.
    if (this.#pieces.length > 64) this.#pieces = [Buffer.concat(this.#pieces)];
  }

  finish(last: Buffer): BatchText {
    if (this.#bytes + last.length > this.#maxBytes) {
      this.#reset();
      return OVERSIZED;
    }
    const whole = this.#pieces.length === 0 ? last : Buffer.concat([...this.#pieces, last]);
    this.#reset();
    return isUtf8(whole) ? whole.toString('utf8') : NOT_UTF8;
  }

  #reset(): void {
    this.#pieces = [];
    this.#bytes = 0;
  }
}

function isOversized(text: string, maxBytes: number): boolean {
  // UTF-8 takes at most three bytes for one unit of a string.
  return text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes;
}

function isBlank(text: string): boolean {
  return text.length === 0 || (isSpace(text.charCodeAt(0)) && text.trim() === '');
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
