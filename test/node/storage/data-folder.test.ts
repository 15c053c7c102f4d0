import { spawn } from 'node:child_process';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FORMAT_VERSION, openDataFolder } from '../../../node/storage/data-folder.ts';
import { readNodeFile, readSecret } from '../../../node/storage/node-files.ts';
import { tempFolder } from './temp-folder.ts';

const NODE_FILE = {
  nodeId: '12D3',
  http: 'http://127.0.0.1:8750',
  p2p: '/ip4/127.0.0.1/tcp/1',
  grpc: null,
  pids: { node: 1, runner: null },
};

async function mode(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

test('a new folder is readable by its owner alone, and so are secrets', async () => {
  const path = join(await tempFolder(), 'deep', 'data');
  const folder = await openDataFolder(path);
  await folder.writeSecret('admin.token', 'secret');
  await folder.writeNodeFile(NODE_FILE);
  expect(await mode(path)).toBe('700');
  for (const name of ['admin.token', 'format.json', 'node.json']) expect(await mode(join(path, name))).toBe('600');
  await folder.close();
});

test.runIf(process.platform === 'linux')('a folder that the system lets nobody make is told', async () => {
  await expect(openDataFolder('/proc/quorate/data')).rejects.toMatchObject({
    code: 'diskFailed',
    message: expect.stringMatching(/the data folder \/proc\/quorate\/data: ENOENT/) as string,
  });
});

test('a folder below a file is told', async () => {
  const file = join(await tempFolder(), 'file');
  await writeFile(file, '');
  await expect(openDataFolder(join(file, 'data'))).rejects.toMatchObject({ code: 'diskFailed', message: /ENOTDIR/ });
});

test('secrets and the node file are read back, by others too; none is null', async () => {
  const path = await tempFolder();
  const folder = await openDataFolder(path);
  expect(await folder.readSecret('cluster.key')).toBeNull();
  expect(await folder.readNodeFile()).toBeNull();
  await folder.writeSecret('cluster.key', 'one');
  await folder.writeSecret('cluster.key', 'two');
  await folder.writeNodeFile(NODE_FILE);
  expect(await readSecret(path, 'cluster.key')).toBe('two');
  expect(await readNodeFile(path)).toEqual(NODE_FILE);
  await folder.close();
});

test('a node file that cannot be read is told', async () => {
  const path = await tempFolder();
  await writeFile(join(path, 'node.json'), '{"nodeId": 5');
  await expect(readNodeFile(path)).rejects.toMatchObject({ code: 'corrupt' });
});

describe('the folder of another', () => {
  test('node in this process is refused while it is open', async () => {
    const path = await tempFolder();
    const folder = await openDataFolder(path);
    await expect(openDataFolder(path)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`process ${process.pid}`) as string,
    });
    await folder.close();
    await (await openDataFolder(path)).close();
  });

  test('process is refused with its pid until that is killed', async () => {
    const path = await tempFolder();
    const module = join(import.meta.dirname, '../../../node/storage/data-folder.ts');
    const script = `const { openDataFolder } = await import(${JSON.stringify(module)});
      await openDataFolder(${JSON.stringify(path)}); console.log('open'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await expect(openDataFolder(path)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`process ${child.pid}`) as string,
    });
    child.kill('SIGKILL');
    await exited;
    await (await openDataFolder(path)).close();
  });

  test('cluster is refused with both names', async () => {
    const path = await tempFolder();
    const folder = await openDataFolder(path);
    await folder.bindCluster('one');
    await folder.bindCluster('one');
    await expect(folder.bindCluster('two')).rejects.toMatchObject({ code: 'wrongCluster', message: /one.*two/ });
    await folder.close();
    const again = await openDataFolder(path);
    expect(again.format).toEqual({ version: FORMAT_VERSION, clusterId: 'one', nodeId: null });
    await expect(again.bindCluster('two')).rejects.toMatchObject({ code: 'wrongCluster' });
    await again.close();
  });

  test('node id is refused', async () => {
    const folder = await openDataFolder(await tempFolder());
    await folder.bindNode('a');
    await folder.bindNode('a');
    await expect(folder.bindNode('b')).rejects.toMatchObject({ code: 'conflict' });
    expect(folder.format.nodeId).toBe('a');
    await folder.close();
  });
});

describe('the format', () => {
  test('of a newer program is refused with both versions, and the folder stays as it is', async () => {
    const path = await tempFolder();
    const text = JSON.stringify({ version: FORMAT_VERSION + 6, somethingNew: true });
    await writeFile(join(path, 'format.json'), text);
    await expect(openDataFolder(path)).rejects.toMatchObject({
      code: 'wrongVersion',
      message: expect.stringMatching(`format ${FORMAT_VERSION + 6}.*up to ${FORMAT_VERSION}`) as string,
    });
    expect(await readFile(join(path, 'format.json'), 'utf8')).toBe(text);
    await writeFile(
      join(path, 'format.json'),
      JSON.stringify({ version: FORMAT_VERSION, clusterId: null, nodeId: null }),
    );
    await (await openDataFolder(path)).close();
  });

  test.each(['', '{', '[]', '{"version":"1"}', '{"version":1}'])('that reads %j is told as damaged', async (text) => {
    const path = await tempFolder();
    await writeFile(join(path, 'format.json'), text);
    await expect(openDataFolder(path)).rejects.toMatchObject({ code: 'corrupt' });
  });
});

test('a path that cannot be a folder gives an error with a code', async () => {
  const path = join(await tempFolder(), 'file');
  await writeFile(path, '');
  await expect(openDataFolder(path)).rejects.toMatchObject({ code: 'diskFailed' });
});

test('what a crash half wrote is removed at the next start', async () => {
  const path = await tempFolder();
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'format.json.0123456789ab.tmp'), '{');
  await (await openDataFolder(path)).close();
  expect((await readdir(path)).sort()).toEqual(['format.json', 'lock']);
});
