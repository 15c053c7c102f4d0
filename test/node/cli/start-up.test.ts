import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { answerJson, jobView } from '../../support/fake-api.ts';
import { cleanEnvironment } from '../../support/node-process.ts';
import { useFakeCommandLine } from '../../support/use-fake-command-line.ts';

const ROOT = join(import.meta.dirname, '../../..');
const cli = useFakeCommandLine();

const RECORDER = `
import { registerHooks } from 'node:module';
import { writeFileSync } from 'node:fs';
const loaded = [];
registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
process.on('exit', () => writeFileSync(process.env.LOADED, loaded.join('\\n')));
`;

/** The modules that a run of the program loads, as paths from the project's root. */
async function loadedBy(args: readonly string[]): Promise<readonly string[]> {
  const recorder = join(cli.folder, 'recorder.mjs');
  const list = join(cli.folder, 'loaded');
  await writeFile(recorder, RECORDER);
  const env = cleanEnvironment({ LOADED: list, QUORATE_URL: cli.api.url });
  await promisify(execFile)(process.execPath, ['--import', recorder, join(ROOT, 'node/main.ts'), ...args], { env });
  const urls = (await readFile(list, 'utf8')).split('\n').filter((url) => url.startsWith('file:'));
  return urls.map((url) => url.slice(`file://${ROOT}/`.length));
}

const packagesIn = (files: readonly string[]) =>
  new Set(files.flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []));
const ownFilesOutside = (files: readonly string[], allowed: RegExp) =>
  files.filter((file) => !file.startsWith('node_modules/') && !allowed.test(file));

describe('the help', () => {
  it('loads nothing of the server, nothing of any command, and one package', async () => {
    const files = await loadedBy(['--help']);
    expect(files).toContain('node/cli/program.ts');
    expect([...packagesIn(files)]).toEqual(['commander']);
    const tree =
      /^node\/(main\.ts|config\/config\.ts|cli\/[a-z-]+\.ts)$|^src\/(api\/event-view|jobs\/job|state\/voter-policy)\.ts$/;
    expect(ownFilesOutside(files, tree)).toEqual([]);
    expect(files).not.toContain('node/cli/run.ts');
    expect(files).not.toContain('node/cli/up.ts');
  });
});

describe('a client command', () => {
  it('loads nothing of the server either', async () => {
    cli.api.handler = (_request, response) => answerJson(response, jobView());
    const files = await loadedBy(['status', 'some-id']);
    expect(files).toContain('src/client/client.ts');
    expect([...packagesIn(files)]).toEqual(['commander']);
    expect(ownFilesOutside(files, /^src\/|^node\/(main\.ts|config\/config\.ts|cli\/)/)).toEqual([]);
  });
});

describe('a wrong flag of a node', () => {
  it('is told before the server is loaded', async () => {
    const failure: unknown = await loadedBy(['dev', '--http', 'nowhere']).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 2 });
    const files = (await readFile(join(cli.folder, 'loaded'), 'utf8')).split('\n');
    expect(files.some((file) => file.includes('node_modules/libp2p'))).toBe(false);
    expect(files.some((file) => file.endsWith('node/node.ts'))).toBe(false);
  });
});
