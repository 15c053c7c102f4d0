import { createServer } from 'node:net';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_TIMING, type NodeConfig } from '../../../node/config/config.ts';
import { type ConfigRequest, defaultDataDir, loadNodeConfig } from '../../../node/config/load-config.ts';
import { FLAG_OF, SETTING_NAMES, variableOf } from '../../../node/config/settings.ts';
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts';

let temp: TempFolder;
let data: string;

beforeEach(async () => {
  temp = await makeTempFolder('config');
  data = join(temp.path, 'data');
});

afterEach(() => temp.remove());

function load(request: Partial<ConfigRequest> = {}): Promise<NodeConfig> {
  return loadNodeConfig({
    mode: 'up',
    flags: {},
    file: undefined,
    env: {},
    defaultDataDir: data,
    defaultLogLevel: 'info',
    ...request,
  });
}

async function configFile(value: unknown): Promise<string> {
  const path = join(temp.path, 'quorate.json');
  await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
}

async function lastStart(addresses: { http: string; p2p: string; grpc: string | null }): Promise<void> {
  await mkdir(data, { recursive: true });
  const file = { nodeId: 'n', ...addresses, pids: { node: 1, runner: null } };
  await writeFile(join(data, 'node.json'), JSON.stringify(file));
}

/** A port of this machine that is taken until the test closes it. */
async function takenPort(): Promise<{ readonly port: number; release(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, release: () => new Promise((resolve) => server.close(() => resolve())) };
}

describe('the configuration of a node', () => {
  it('is whole when nothing is said', async () => {
    expect(await load()).toEqual({
      bulk: { host: '127.0.0.1', port: 8753 },
      blobs: { spaceBytes: 64 * 1024 ** 3, copies: 2 },
      dataDir: data,
      mode: 'up',
      bootstrap: false,
      join: [],
      http: { host: '127.0.0.1', port: 8750 },
      p2p: { host: '127.0.0.1', port: 8751 },
      grpc: { host: '127.0.0.1', port: 8752 },
      advertise: [],
      allowedHosts: [],
      runner: { cpu: null, memoryBytes: null, labels: {} },
      onStop: 'keepJobs',
      logLevel: 'info',
      timing: DEFAULT_TIMING,
    });
  });

  it('takes flags before the environment before the file', async () => {
    const file = await configFile({ cpu: 1, memory: '1GiB', http: '127.0.0.1:1', labels: { from: 'file' } });
    const env = { QUORATE_CPU: '2', QUORATE_HTTP: '127.0.0.1:2', QUORATE_LABEL: 'from=env,zone=a' };
    const config = await load({ file, env, flags: { http: '127.0.0.1:3' } });
    expect(config.http.port).toBe(3);
    expect(config.runner).toEqual({ cpu: 2, memoryBytes: 2 ** 30, labels: { from: 'env', zone: 'a' } });
  });

  it('takes every setting from the environment as from flags and from a file', async () => {
    const texts = {
      data,
      http: '127.0.0.1:1',
      p2p: '127.0.0.1:2',
      grpc: '[::1]:3',
      cpu: '1.5',
      memory: '512MiB',
      logLevel: 'debug',
      tick: '5ms',
      election: '1s',
      heartbeat: '100ms',
      runnerLease: '5s',
      runnerLostAfter: '6s',
    };
    const lists = { join: ['10.0.0.1:8751', 'qj1_abc'], advertise: ['a.example:1'], allowHosts: ['b.example'] };
    const flags = { ...texts, ...lists, labels: { zone: 'a' }, killJobs: true };
    const env: Record<string, string> = { QUORATE_KILL_JOBS: '1', QUORATE_LABEL: 'zone=a' };
    for (const [name, text] of Object.entries(texts)) env[variableOf(name as keyof typeof texts)] = text;
    for (const [name, items] of Object.entries(lists)) env[variableOf(name as keyof typeof lists)] = items.join(', ');
    const byFlags = await load({ flags });
    expect(byFlags).toMatchObject({
      join: lists.join,
      grpc: { host: '::1', port: 3 },
      runner: { cpu: 1.5, memoryBytes: 512 * 2 ** 20, labels: { zone: 'a' } },
      onStop: 'killJobs',
      timing: { tickMs: 5, electionMs: 1000, heartbeatMs: 100, leaseMs: 5000, lostAfterMs: 6000 },
    });
    expect(await load({ env })).toEqual(byFlags);
    expect(await load({ file: await configFile(flags) })).toEqual(byFlags);
  });

  it('turns the runner off by its flag, its variable and the file', async () => {
    expect((await load({ flags: { runner: false } })).runner).toBeNull();
    expect((await load({ env: { QUORATE_NO_RUNNER: 'true' } })).runner).toBeNull();
    expect((await load({ env: { QUORATE_NO_RUNNER: '0' } })).runner).not.toBeNull();
    expect((await load({ file: await configFile({ runner: false }) })).runner).toBeNull();
  });

  it('knows a variable for each flag', () => {
    expect(SETTING_NAMES.map(variableOf)).toContain('QUORATE_RUNNER_LOST_AFTER');
    expect(new Set(SETTING_NAMES.map(variableOf)).size).toBe(SETTING_NAMES.length);
    expect(Object.values(FLAG_OF).every((flag) => flag.startsWith('--'))).toBe(true);
  });

  it('leaves alone what others put into the environment, and empty variables', async () => {
    const env = {
      QUORATE_URL: 'http://x',
      QUORATE_TOKEN: 't',
      QUORATE_JOB_ID: 'j',
      QUORATE_FLAGS: '-x',
      QUORATE_CPU: '',
    };
    expect(await load({ env })).toEqual(await load());
  });

  it('reads a join token from a file, so that it need not stand in the arguments', async () => {
    const path = join(temp.path, 'join.token');
    await writeFile(path, 'qj1_secret\n');
    expect((await load({ flags: { join: [`@${path}`] } })).join).toEqual(['qj1_secret']);
    await expect(load({ flags: { join: [`@${path}.gone`] } })).rejects.toMatchObject({ code: 'invalidRequest' });
  });

  it('stretches the time until a runner is lost with its lease', async () => {
    const { timing } = await load({ flags: { runnerLease: '20s' } });
    expect(timing).toMatchObject({ leaseMs: 20_000, lostAfterMs: 30_000 });
  });

  it('ends jobs with the node in dev, and keeps them in up', async () => {
    expect((await load({ mode: 'dev' })).onStop).toBe('killJobs');
    expect((await load({ mode: 'up' })).onStop).toBe('keepJobs');
    expect((await load({ mode: 'up', flags: { killJobs: true } })).onStop).toBe('killJobs');
  });

  it('puts data where XDG wants state when no folder is given', () => {
    expect(defaultDataDir({ XDG_STATE_HOME: '/var/state' })).toBe('/var/state/quorate');
    expect(defaultDataDir({ XDG_STATE_HOME: 'relative' })).toBe(join(homedir(), '.local/state/quorate'));
    expect(defaultDataDir({})).toBe(join(homedir(), '.local/state/quorate'));
  });
});

describe('a node that was started before', () => {
  it('comes up where it was when nothing else is said', async () => {
    await lastStart({ http: '127.0.0.1:4001', p2p: '0.0.0.0:4002', grpc: null });
    expect(await load()).toMatchObject({
      http: { host: '127.0.0.1', port: 4001 },
      p2p: { host: '0.0.0.0', port: 4002 },
      grpc: { host: '127.0.0.1', port: 8752 },
    });
  });

  it('goes where a flag, a variable or the file says, whatever was before', async () => {
    await lastStart({ http: '127.0.0.1:4001', p2p: '127.0.0.1:4002', grpc: '127.0.0.1:4003' });
    const file = await configFile({ grpc: '127.0.0.1:5003' });
    const config = await load({ flags: { http: '127.0.0.1:5001' }, env: { QUORATE_P2P: '127.0.0.1:5002' }, file });
    expect([config.http.port, config.p2p.port, config.grpc.port]).toEqual([5001, 5002, 5003]);
  });

  it('takes the same port again when any will do, and any other when that is taken', async () => {
    const taken = await takenPort();
    const http = `127.0.0.1:${taken.port}`;
    await lastStart({ http, p2p: '127.0.0.1:4002', grpc: null });
    expect((await load({ flags: { http: '127.0.0.1:0' } })).http.port).toBe(0);
    await taken.release();
    expect((await load({ flags: { http: '127.0.0.1:0' } })).http.port).toBe(taken.port);
    expect((await load({ flags: { http: '[::1]:0' } })).http).toEqual({ host: '::1', port: 0 });
  });

  it('is not started on a guess when its file is damaged', async () => {
    await mkdir(data);
    await writeFile(join(data, 'node.json'), '{"half":');
    await expect(load()).rejects.toMatchObject({ name: 'Fault', code: 'corrupt' });
  });
});

describe('a wrong setting', () => {
  it.each([
    [{ http: 'localhost' }, '--http', /HOST:PORT/],
    [{ p2p: '1.2.3.4:99999' }, '--p2p', /65535/],
    [{ cpu: 'many' }, '--cpu', /number/],
    [{ cpu: '0' }, '--cpu', /./],
    [{ memory: '1 gig' }, '--memory', /512MiB/],
    [{ memory: '0' }, '--memory', /./],
    [{ logLevel: 'loud' }, '--log-level', /trace, debug/],
    [{ join: ['nonsense'] }, '--join', /qj1_/],
    [{ advertise: ['host:0'] }, '--advertise', /HOST:PORT/],
    [{ runnerLease: '-1s' }, '--runner-lease', /duration/],
    [{ labels: { 'bad name!': 'x' } }, '--label', /./],
    [{ bootstrap: true, join: ['qj1_x'] }, '--bootstrap', /one of them/],
    [{ http: '127.0.0.1:9', p2p: '127.0.0.1:9' }, '--p2p', /two addresses/],
    [{ heartbeat: '200ms' }, '--election', /3 times/],
    [{ tick: '60ms' }, '--tick', /longer/],
    [{ runnerLease: '5s', runnerLostAfter: '5s' }, '--runner-lost-after', /longer/],
  ])('%j is refused at its flag', async (flags, field, message) => {
    const error = await load({ flags }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'Rejection', code: 'invalidRequest', details: { field } });
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain(field);
  });

  it('is refused at its variable', async () => {
    await expect(load({ env: { QUORATE_HTTP: 'x' } })).rejects.toMatchObject({ details: { field: 'QUORATE_HTTP' } });
    await expect(load({ env: { QUORATE_LABEL: 'x' } })).rejects.toMatchObject({ details: { field: 'QUORATE_LABEL' } });
    await expect(load({ env: { QUORATE_BOOTSTRAP: 'maybe' } })).rejects.toThrow(
      'QUORATE_BOOTSTRAP must be true or false',
    );
  });

  it.each([
    ['{"htpp": "127.0.0.1:1"}', /htpp in .* is no setting/],
    ['{"http": 8750}', /http in .* must be HOST:PORT/],
    ['{"labels": {"a": 1}}', /labels in .* a is not valid/],
    ['[1]', /must hold one object/],
    ['{"http": ', /is not JSON/],
  ])('is refused in the file %s', async (text, message) => {
    await expect(load({ file: await configFile(text) })).rejects.toThrow(message);
  });

  it('is a file that is not there or cannot be read', async () => {
    await expect(load({ file: join(temp.path, 'gone.json') })).rejects.toThrow(/gone\.json is not there/);
    await expect(load({ env: { QUORATE_CONFIG: temp.path } })).rejects.toMatchObject({ code: 'invalidRequest' });
    const unreadable = await configFile({});
    await chmod(unreadable, 0);
    if (process.getuid?.() !== 0) await expect(load({ file: unreadable })).rejects.toThrow(/configuration file/);
  });
});

describe('a node without authentication', () => {
  it.each(['0.0.0.0:8750', '[::]:8750', '10.1.2.3:8750', 'node-1:8750'])('does not listen on %s', async (http) => {
    const call = load({ mode: 'dev', flags: { http } });
    await expect(call).rejects.toMatchObject({ code: 'forbidden', details: { field: '--http' } });
  });

  it('does not go on listening for others where a start with authentication did', async () => {
    await lastStart({ http: '0.0.0.0:8750', p2p: '127.0.0.1:1', grpc: null });
    await expect(load({ mode: 'dev' })).rejects.toMatchObject({ code: 'forbidden' });
    expect((await load({ mode: 'up' })).http.host).toBe('0.0.0.0');
  });

  it('joins nobody', async () => {
    await expect(load({ mode: 'dev', flags: { join: ['qj1_x'] } })).rejects.toMatchObject({ code: 'invalidRequest' });
  });
});
