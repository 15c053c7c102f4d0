import { afterEach, beforeEach } from 'vitest';
import { runQuorate, type CommandResult } from './command-line.ts';
import { answerProblem, FakeApi } from './fake-api.ts';
import { makeTempFolder, type TempFolder } from './temp-folder.ts';

export interface FakeCommandLine {
  readonly api: FakeApi;
  /** A folder of this test's own. */
  readonly folder: string;
  /** Runs the real program against the fake node. */
  quorate(args: readonly string[], stdin?: string, env?: Readonly<Record<string, string>>): Promise<CommandResult>;
}

/** A fake node and a folder for each test of a file. */
export function useFakeCommandLine(): FakeCommandLine {
  let api: FakeApi;
  let temp: TempFolder;

  beforeEach(async () => {
    temp = await makeTempFolder('cli');
    api = await FakeApi.start((_request, response) => answerProblem(response, 500, 'internal'));
  });

  afterEach(async () => {
    await api.close();
    await temp.remove();
  });

  return {
    get api() {
      return api;
    },
    get folder() {
      return temp.path;
    },
    quorate: (args, stdin = '', env = {}) =>
      runQuorate(args, { env: { QUORATE_URL: api.url, QUORATE_TOKEN: 'qt_test', ...env }, stdin }),
  };
}
