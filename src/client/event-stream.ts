import { ProtocolError } from './client-error.ts';

/** One server-sent event. */
export interface StreamEvent {
  /** `message` when the server named none. */
  readonly event: string;
  readonly data: string;
  /** The last id that the server told, this event's or an earlier one's. */
  readonly id: string;
}

/** Characters of one event; a server that sends more is not one of ours. */
const EVENT_MAX_CHARACTERS = 16 * 1024 * 1024;

/**
 * Reads server-sent events (WHATWG HTML, 9.2.6) from bytes that may be cut anywhere. An unfinished event at the end is
 * dropped, as the standard says.
 * @throws ProtocolError when an event is larger than any server of ours makes
 */
export async function* readEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent, void> {
  let event = '';
  let data: string[] = [];
  let id = '';
  for await (const line of readLines(bytes, EVENT_MAX_CHARACTERS, 'sse')) {
    if (line === '') {
      if (data.length > 0) yield { event: event === '' ? 'message' : event, data: data.join('\n'), id };
      event = '';
      data = [];
      continue;
    }
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') data.push(value);
    else if (field === 'event') event = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
  }
}

/**
 * Cuts bytes into lines of text; the line ends are gone. `sse` takes CR, LF and CRLF and drops an unfinished last line,
 * `ndjson` takes LF and keeps it.
 * @throws ProtocolError when a line is longer than `maxCharacters`
 */
export async function* readLines(
  bytes: AsyncIterable<Uint8Array>,
  maxCharacters: number,
  format: 'sse' | 'ndjson',
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  const lineEnd = format === 'sse' ? /\r\n|\r|\n/g : /\n/g;
  let rest: string[] = [];
  let restLength = 0;
  let afterCarriageReturn = false;

  for await (const chunk of bytes) {
    let text = decoder.decode(chunk, { stream: true });
    if (text === '') continue;
    // A CRLF that was cut in the middle is one line end, not two.
    if (afterCarriageReturn && text.startsWith('\n')) text = text.slice(1);
    afterCarriageReturn = format === 'sse' && text.endsWith('\r');
    let from = 0;
    for (const match of text.matchAll(lineEnd)) {
      yield rest.join('') + text.slice(from, match.index);
      rest = [];
      restLength = 0;
      from = match.index + match[0].length;
    }
    if (from === text.length) continue;
    rest.push(from === 0 ? text : text.slice(from));
    restLength += text.length - from;
    if (restLength > maxCharacters) throw new ProtocolError(`a line is longer than ${maxCharacters} characters`);
  }
  const last = rest.join('') + decoder.decode();
  if (format === 'ndjson' && last !== '') yield last;
}
