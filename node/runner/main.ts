import { randomUUID } from 'node:crypto';
import { realpathSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { assert, Fault } from '../../src/errors.ts';
import type { Incarnation } from '../../src/ids.ts';
import { closeInheritedDescriptors } from './close-inherited.ts';
import { chooseLauncher } from './choose-launcher.ts';
import { runnerLayout } from './layout.ts';
import type { RunnerLayout } from './layout.ts';
import { bootClockMs, createLease } from './lease.ts';
import { identifyProcess } from './process-identity.ts';
import { recover } from './recover.ts';
import { createRemover } from './remover.ts';
import { createRetention } from './retention.ts';
import { ownsRunnerFile, takeRunnerFile } from './runner-file.ts';
import type { RunnerFile } from './runner-file.ts';
import { ANOTHER_LIVES_EXIT_CODE, parseRunnerOptions } from './runner-options.ts';
import type { RunnerOptions } from './runner-options.ts';
import { startRunnerServer } from './runner-server.ts';
import type { RunnerServer } from './runner-server.ts';
import { Runner } from './runner.ts';
import { openSilentList } from './silent-list.ts';
import { chooseSocketPath, removeDeadSockets, removeSocket } from './socket-path.ts';
import { createSpareFolders } from './spare-folders.ts';

/** The runner process: `main.ts --dir <dataDir>/runner --options JSON`. */

const TICK_MS = 250;
/** What KILL leaves to do: the system ends the processes, their ends are noticed and stored. */
const KILL_MARGIN_MS = 2_000;

type EndOfProcess = 'shutdown' | 'terminated' | 'idle' | 'folderTaken';

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { dir: { type: 'string' }, options: { type: 'string' } } });
  assert(values.dir !== undefined, 'the runner is started with --dir');
  const options = parseRunnerOptions(values.options ?? '{}');
  const inherited = closeInheritedDescriptors();
  process.umask(0o022);
  const layout = runnerLayout(realpathSync(values.dir));
  const logger = pino({ level: options.logLevel, base: { pid: process.pid } }, pino.destination({ fd: 2, sync: true }));
  const own = takeFolder(layout);

  const { runner, server } = await startRunner(logger, layout, own, options);
  logger.info({ incarnation: own.incarnation, inherited }, 'the runner process has started');
  void removeDeadSockets().catch((err: unknown) => logger.warn({ err }, 'sockets of dead runners cannot be removed'));
  const why = await runUntilEnd(runner, server, () => ownsRunnerFile(layout.lockFile, own), options);
  logger.info({ why, live: runner.live }, 'the runner process ends');
  await stopJobs(runner, why, options.graceMs);
  await server.close();
  removeSocket(own.socket);
  if (ownsRunnerFile(layout.lockFile, own)) rmSync(layout.lockFile, { force: true });
  process.exit(0);
}

function takeFolder(layout: RunnerLayout): RunnerFile {
  const identity = identifyProcess(process.pid);
  assert(identity !== null, 'this process lives');
  const socket = chooseSocketPath(layout.root, identity);
  const own = { ...identity, incarnation: randomUUID() as string as Incarnation, socket };
  try {
    const before = takeRunnerFile(layout.lockFile, own);
    if (before !== null) removeSocket(before.socket);
    rmSync(socket, { force: true });
    return own;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    // Inside of the folder it is the socket of the one that lives.
    if (dirname(socket) !== layout.root) removeSocket(socket);
    process.stderr.write(`${error.message}\n`);
    process.exit(ANOTHER_LIVES_EXIT_CODE);
  }
}

async function startRunner(
  logger: Logger,
  layout: RunnerLayout,
  own: RunnerFile,
  options: RunnerOptions,
): Promise<{ readonly runner: Runner; readonly server: RunnerServer }> {
  const launcher = await chooseLauncher({ logger }, { prefer: options.launcher, orphans: 'adopt' });
  const remover = createRemover({ logger });
  const retention = createRetention({ remover }, { folder: layout.attempts, limits: options.kept });
  const recovered = recover({ logger, remover, retention }, { folder: layout.attempts, silentList: layout.silentList });
  const spares = createSpareFolders({ folder: layout.attempts });
  const silentList = openSilentList(layout.silentList, { linesMax: options.kept.attempts });
  logger.info({ launcher: launcher.name, recovered: recovered.length }, 'jobs can be started');
  const lease = createLease({ clockMs: bootClockMs });
  const runner = new Runner(
    { logger, launcher, remover, retention, spares, silentList, lease, send: (message) => server.send(message) },
    { ...options, folder: layout.attempts, incarnation: own.incarnation, recovered },
  );
  // Nothing is sent before the first message, so not before there is a server.
  const server = await startRunnerServer({ logger, onMessage: (message) => runner.receive(message) }, own);
  return { runner, server };
}

function runUntilEnd(
  runner: Runner,
  server: RunnerServer,
  ownsFolder: () => boolean,
  { idleExitMs }: RunnerOptions,
): Promise<EndOfProcess> {
  return new Promise((resolve) => {
    let busyAt = performance.now();
    void runner.shutdownRequested().then(() => resolve('shutdown'));
    process.on('SIGTERM', () => resolve('terminated'));
    process.on('SIGHUP', () => {});
    setInterval(() => {
      runner.tick();
      if (server.connected || !runner.isIdle) busyAt = performance.now();
      if (performance.now() - busyAt > idleExitMs) resolve('idle');
      if (!ownsFolder()) resolve('folderTaken');
    }, TICK_MS);
  });
}

async function stopJobs(runner: Runner, why: EndOfProcess, graceMs: number): Promise<void> {
  runner.stopAll(why === 'folderTaken' ? 'its runner lost its folder' : 'its runner was stopped');
  const deadline = performance.now() + graceMs + KILL_MARGIN_MS;
  while (runner.live > 0 && performance.now() < deadline) await sleep(10);
}

await main();
