import { appendFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { LogEvent } from '../../../src/api/views.ts';
import { attemptLayout, runnerLayout, runnerRoot } from '../../../node/runner/layout.ts';
import { createLogReader } from '../../../node/runner/log-reader.ts';
import type { LogReader } from '../../../node/runner/ports.ts';
import type { JobId } from '../../../src/ids.ts';
import { connectNode, randomJob, tempDataDir, until } from './support.ts';

type Query = Parameters<LogReader['read']>[1];

const never = new AbortController().signal;
const all: Query = { stream: 'both', follow: false, tail: null };
const follow: Query = { ...all, follow: true };

function setUp(options: { readonly logBytes?: number } = {}) {
  const dataDir = tempDataDir();
  const key = { job: randomJob(), attempt: 1 };
  const layout = attemptLayout(runnerLayout(runnerRoot(dataDir)).attempts, key);
  mkdirSync(layout.root, { recursive: true });
  const reader = createLogReader(dataDir, options);
  /** As text, each run of one stream after its name. */
  async function read(query: Partial<Query> = {}): Promise<string> {
    let text = '';
    let last = '';
    for await (const { stream, data } of reader.read(key, { ...all, ...query }, never)) {
      if (query.stream === undefined && stream !== last) text += `[${stream}]`;
      last = stream;
      text += Buffer.from(data).toString();
    }
    return text;
  }
  return { dataDir, key, layout, reader, read };
}

/** Reads on its own, so that a test can look at what has come so far. */
function collect(events: AsyncIterable<LogEvent>) {
  const seen = { text: '', over: false };
  void (async () => {
    for await (const { data } of events) seen.text += Buffer.from(data).toString();
    seen.over = true;
  })();
  return seen;
}

describe('the output of the past', () => {
  test('comes stdout first', async () => {
    const { layout, read } = setUp();
    writeFileSync(layout.stdout, 'out\n');
    writeFileSync(layout.stderr, 'err\n');
    expect(await read()).toBe('[stdout]out\n[stderr]err\n');
    expect(await read({ stream: 'stderr' })).toBe('err\n');
    expect(await read({ stream: 'stdout' })).toBe('out\n');
  });

  test('is empty for an attempt that never started', async () => {
    const { layout, read } = setUp();
    writeFileSync(layout.outcome, '');
    expect(await read()).toBe('');
    expect(await read({ follow: true })).toBe('');
    expect(await read({ tail: 3 })).toBe('');
  });

  test('comes in chunks of at most 64 KiB, each with a time', async () => {
    const { key, layout, reader } = setUp();
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251));
    writeFileSync(layout.stdout, bytes);
    const chunks: LogEvent[] = [];
    for await (const event of reader.read(key, all, never)) chunks.push(event);
    expect(chunks.map(({ data }) => data.length)).toEqual([65536, 65536, 65536, 3392]);
    expect(Buffer.concat(chunks.map(({ data }) => data)).equals(bytes)).toBe(true);
    expect(Math.abs(Date.parse(chunks[0]?.at ?? '') - Date.now())).toBeLessThan(60_000);
  });

  test.each([
    ['a\nb\nc\n', 0, ''],
    ['a\nb\nc\n', 1, 'c\n'],
    ['a\nb\nc\n', 2, 'b\nc\n'],
    ['a\nb\nc\n', 3, 'a\nb\nc\n'],
    ['a\nb\nc\n', 9, 'a\nb\nc\n'],
    ['a\nb\nc', 1, 'c'],
    ['a\nb\nc', 2, 'b\nc'],
    ['\n\n', 1, '\n'],
    ['', 5, ''],
  ])('%j ends in these %i lines', async (text, tail, expected) => {
    const { layout, read } = setUp();
    writeFileSync(layout.stdout, text);
    expect(await read({ stream: 'stdout', tail })).toBe(expected);
  });

  test('has its last lines found over many blocks', async () => {
    const { layout, read } = setUp();
    const lines = Array.from({ length: 60_000 }, (_, i) => `line ${i}\n`);
    writeFileSync(layout.stdout, lines.join(''));
    expect(await read({ stream: 'stdout', tail: 20_000 })).toBe(lines.slice(-20_000).join(''));
    writeFileSync(layout.stdout, `first\n${'x'.repeat(300_000)}\nlast`);
    expect((await read({ stream: 'stdout', tail: 2 })).length).toBe(300_005);
  });

  test('ends at the limit, also while the runner has not cut it yet', async () => {
    const { layout, read } = setUp({ logBytes: 10 });
    writeFileSync(layout.stdout, '0123456789abc');
    expect(await read({ stream: 'stdout' })).toBe('0123456789');
  });

  test('of an unknown attempt is refused, whatever its name', () => {
    const { dataDir, key, reader } = setUp();
    writeFileSync(`${dataDir}/runner/attempts/secret`, 'x');
    const refused = expect.objectContaining({ code: 'logUnavailable' });
    for (const bad of [
      { ...key, attempt: 2 },
      { ...key, attempt: 0 },
      { ...key, attempt: 1.5 },
      { job: '../../..' as JobId, attempt: 1 },
      { job: `${key.job}/..` as JobId, attempt: 1 },
    ]) {
      expect(() => reader.read(bad, all, never)).toThrow(refused);
    }
  });
});

describe('the output of the present', () => {
  test('is given as it is written, and ends with the attempt', async () => {
    const { key, layout, reader } = setUp();
    const seen = collect(reader.read(key, follow, never));
    writeFileSync(layout.stdout, 'a');
    await until(() => seen.text === 'a');
    appendFileSync(layout.stderr, 'b');
    await until(() => seen.text === 'ab');
    appendFileSync(layout.stdout, 'c');
    await until(() => seen.text === 'abc');
    expect(seen.over).toBe(false);
    appendFileSync(layout.stdout, 'd');
    writeFileSync(layout.outcome, '');
    await until(() => seen.over);
    expect(seen.text).toBe('abcd');
  });

  test('is not cut short when the attempt ends while it is read', async () => {
    const { key, layout, reader } = setUp();
    writeFileSync(layout.stdout, 'a');
    const events = reader.read(key, follow, never)[Symbol.asyncIterator]();
    let text = '';
    for (let next = await events.next(); !next.done; next = await events.next()) {
      text += Buffer.from(next.value.data).toString();
      if (text !== 'a') continue;
      appendFileSync(layout.stdout, 'b');
      writeFileSync(layout.outcome, '');
    }
    expect(text).toBe('ab');
  });

  test('with a tail of none has only what is new', async () => {
    const { key, layout, reader } = setUp();
    writeFileSync(layout.stdout, 'old\n');
    const seen = collect(reader.read(key, { ...follow, tail: 0 }, never));
    await new Promise((resolve) => setTimeout(resolve, 100));
    appendFileSync(layout.stdout, 'new\n');
    writeFileSync(layout.forgotten, '');
    await until(() => seen.over);
    expect(seen.text).toBe('new\n');
  });

  test('begins anew when the job empties its file', async () => {
    const { key, layout, reader } = setUp();
    writeFileSync(layout.stdout, 'a long first line');
    const seen = collect(reader.read(key, follow, never));
    await until(() => seen.text === 'a long first line');
    truncateSync(layout.stdout, 0);
    appendFileSync(layout.stdout, '|again');
    writeFileSync(layout.outcome, '');
    await until(() => seen.over);
    expect(seen.text).toBe('a long first line|again');
  });

  test('ends at the abort', async () => {
    const { key, layout, reader } = setUp();
    writeFileSync(layout.stdout, 'a');
    const abort = new AbortController();
    const seen = collect(reader.read(key, follow, abort.signal));
    await until(() => seen.text === 'a');
    abort.abort();
    await until(() => seen.over);
  });

  test('of a real job is followed to its last byte', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const key = node.start({
      command: ['sh', '-c', 'for i in 1 2 3 4 5; do echo $i; echo e$i >&2; sleep 0.02; done; head -c 300000 /dev/zero'],
    });
    await until(() => node.events.length > 0);
    let stdout = 0;
    let stderr = '';
    for await (const { stream, data } of createLogReader(dataDir).read(key, follow, never)) {
      if (stream === 'stdout') stdout += data.length;
      else stderr += Buffer.from(data).toString();
    }
    expect(stdout).toBe(300_010);
    expect(stderr).toBe('e1\ne2\ne3\ne4\ne5\n');
  });

  test('ends when the runner of the attempt has died', async () => {
    const dataDir = tempDataDir();
    const node = await connectNode(dataDir);
    const key = node.start({ command: ['sh', '-c', 'echo last words; exec sleep 1000'] });
    await until(() => node.events.length > 0);
    const seen = collect(createLogReader(dataDir).read(key, follow, never));
    await until(() => seen.text === 'last words\n');
    process.kill(node.pid, 'SIGKILL');
    await until(() => seen.over);
    await node.supervisor.connect();
  });
});
