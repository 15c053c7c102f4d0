import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runQuorate } from '../../support/command-line.ts';
import { cleanEnvironment, QUORATE } from '../../support/node-process.ts';
import { killAllOf, processesOf } from '../../support/processes.ts';
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts';
import { waitUntil } from '../../support/wait-until.ts';

const ANY_PORT = ['--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--grpc', '127.0.0.1:0'];

let temp: TempFolder;

beforeEach(async () => {
  temp = await makeTempFolder('nodes');
});

afterEach(async () => {
  killAllOf(temp.path);
  await temp.remove();
});

/** Everything that the program keeps goes below the test's folder. */
const env = () => ({ TMPDIR: temp.path, XDG_STATE_HOME: join(temp.path, 'state') });

/** A node as a user starts it; `welcome` is what it prints when it is up. */
async function start(args: readonly string[]) {
  const child = spawn(QUORATE, [...args, ...ANY_PORT], {
    env: cleanEnvironment(env()),
    cwd: temp.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = once(child, 'close') as Promise<[number | null, string | null]>;
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (log += part));
  const first = await Promise.race([once(child.stdout, 'data'), exit.then(() => null)]);
  if (first === null) throw new Error(`the node ended: ${log}`);
  const welcome = String(first[0]);
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(welcome)?.[0] ?? '';
  return { welcome, url, exit, log: () => log, signal: (signal: NodeJS.Signals) => child.kill(signal) };
}

describe('quorate dev', () => {
  it('tells what to type next, runs it, and leaves nothing behind', async () => {
    const node = await start(['dev']);
    expect(node.welcome).toContain(`curl -d '{"command":["echo","hi"]}' ${node.url}/v1/jobs`);
    expect(node.welcome).toContain('run -- echo hi');
    const job = await runQuorate(['run', '--', 'echo', 'hi'], { env: { QUORATE_URL: node.url } });
    expect(job).toEqual({ code: 0, stdout: 'hi\n', stderr: '' });
    expect((await readdir(temp.path)).filter((name) => name.startsWith('quorate-dev-'))).toHaveLength(1);
    node.signal('SIGINT');
    expect(await node.exit).toEqual([0, null]);
    expect((await readdir(temp.path)).filter((name) => name.startsWith('quorate-dev-'))).toEqual([]);
    expect(processesOf(temp.path)).toEqual([]);
  });

  it('writes its log as JSON to standard error alone', async () => {
    const node = await start(['dev', '--log-level', 'info']);
    node.signal('SIGTERM');
    await node.exit;
    const lines = node.log().trim().split('\n');
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('msg');
  });

  it('tells programs in one line of JSON that it is up', async () => {
    const node = await start(['dev', '--json']);
    expect(JSON.parse(node.welcome)).toEqual({
      nodeId: expect.stringMatching(/^12D3/) as string,
      clusterId: expect.any(String) as string,
      http: node.url,
      p2p: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      dataDir: expect.stringContaining('quorate-dev-') as string,
      adminToken: expect.stringMatching(/^qt_/) as string,
      joinToken: expect.stringMatching(/^qj1_/) as string,
    });
    node.signal('SIGTERM');
    expect(await node.exit).toEqual([0, null]);
  });

  it('keeps its data in a folder that was given', async () => {
    const data = join(temp.path, 'kept');
    const node = await start(['dev', '--data', data]);
    node.signal('SIGTERM');
    expect(await node.exit).toEqual([0, null]);
    expect((await stat(join(data, 'node.json'))).isFile()).toBe(true);
  });

  it('leaves no folder behind when it cannot start', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const http = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
    const result = await runQuorate(['dev', '--http', http, '--p2p', '127.0.0.1:0'], { env: env() });
    taken.close();
    expect(result).toMatchObject({ code: 4, stdout: '' });
    expect(result.stderr).toContain('(conflict)');
    expect(result.stderr).not.toMatch(/^\s+at /m);
    expect((await readdir(temp.path)).filter((name) => name.startsWith('quorate-dev-'))).toEqual([]);
  });

  it.each(['0.0.0.0:0', '[::]:0', '192.0.2.1:0'])('does not start on %s, where others could reach it', async (http) => {
    const result = await runQuorate(['dev', ...ANY_PORT, '--http', http], { env: env() });
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('(forbidden)');
  });
});

describe('quorate up', () => {
  it('prints the tokens of a new cluster, once, and what to type on the next machine', async () => {
    const first = await start(['up', '--bootstrap']);
    const [token = ''] = /qt_[\w-]+/.exec(first.welcome) ?? [];
    expect(first.welcome).toMatch(/quorate up --join qj1_[\w-]+/);
    expect(first.welcome).toContain(`export QUORATE_URL=${first.url}`);
    const asked = await runQuorate(['cluster', '--json'], { env: { QUORATE_URL: first.url, QUORATE_TOKEN: token } });
    expect(asked.code).toBe(0);
    expect((await runQuorate(['jobs'], { env: { QUORATE_URL: first.url } })).code).toBe(4);
    first.signal('SIGTERM');
    expect(await first.exit).toEqual([0, null]);

    const again = await start(['up']);
    expect(again.url).toBe(first.url);
    expect(again.welcome).not.toMatch(/qt_|qj1_/);
    again.signal('SIGTERM');
    await again.exit;
  });

  it('ends at once at a second signal, whatever holds up the stop', async () => {
    const node = await start(['up', '--bootstrap', '--kill-jobs', '--log-level', 'info']);
    const [token = ''] = /qt_[\w-]+/.exec(node.welcome) ?? [];
    const client = { env: { QUORATE_URL: node.url, QUORATE_TOKEN: token } };
    const stubborn = ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 1; done'];
    const { stdout: id } = await runQuorate(['submit', '--', ...stubborn], client);
    await waitUntil('the job to ignore TERM', async () => {
      return (await runQuorate(['logs', id.trim()], client)).stdout === '' ? null : true;
    });
    node.signal('SIGTERM');
    await waitUntil('the stop to begin', () => (node.log().includes('"stopping"') ? true : null));
    node.signal('SIGINT');
    expect(await node.exit).toEqual([130, null]);
  });

  it('tells what a start in an empty folder needs', async () => {
    const result = await runQuorate(['up', ...ANY_PORT], { env: env() });
    expect(result).toMatchObject({ code: 4, stdout: '' });
    expect(result.stderr).toMatch(/--bootstrap .* --join/);
  });

  it.each([
    ['an address that is none', ['--http', 'here'], /--http must be HOST:PORT/],
    ['an unknown flag', ['--htpp', 'x'], /unknown option/],
    ['two ways to a cluster', ['--bootstrap', '--join', 'qj1_x'], /one of them/],
    ['a level that there is not', ['--log-level', 'loud'], /trace, debug, info, warn, error/],
    ['a label without a value', ['--label', 'x'], /--label must be NAME=VALUE/],
  ])('ends with 2 for %s', async (_what, args, message) => {
    const result = await runQuorate(['up', ...args], { env: env() });
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(message);
  });

  it('ends with 2 for a file with an unknown setting, and names it', async () => {
    const file = join(temp.path, 'node.json');
    await writeFile(file, '{"port": 80}');
    const result = await runQuorate(['up', '--config', file], { env: env() });
    expect(result.code).toBe(2);
    expect(result.stderr).toContain(`port in ${file} is no setting`);
  });
});
