import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { attemptLayout, parseAttemptName } from './layout.ts';
import type { AttemptLayout } from './layout.ts';
import { readMeta } from './meta-file.ts';
import { markForgotten, readOutcome } from './outcome-file.ts';
import type { Ending } from './outcome-file.ts';
import type { AttemptKey } from './ports.ts';
import { signalGroup } from './process-group.ts';
import { isAlive } from './process-identity.ts';
import type { Remover } from './remover.ts';
import type { KeptAttempt, Retention } from './retention.ts';
import { readSilentList } from './silent-list.ts';
import { isSpareFolder } from './spare-folders.ts';

export type RecoveredEnding = AttemptKey & { readonly ending: Ending; readonly bytes: number };

interface RecoverDependencies {
  readonly logger: Logger;
  readonly remover: Remover;
  readonly retention: Retention;
}

/** Looks at what earlier runner processes left: ends their jobs, finds the ends that nobody was told yet. */
export function recover(
  dependencies: RecoverDependencies,
  { folder, silentList }: { readonly folder: string; readonly silentList: string },
): RecoveredEnding[] {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const names = readdirSync(folder);
  if (names.length > 0) killLeftBehind(dependencies, folder);
  const untold: RecoveredEnding[] = [];
  const kept: KeptAttempt[] = readSilentList(silentList).map((attempt) => ({ ...attempt, bytes: 0 }));
  for (const name of names) {
    const key = parseAttemptName(name);
    if (isSpareFolder(name)) dependencies.remover.remove(join(folder, name));
    if (key === null) continue;
    const layout = attemptLayout(folder, key);
    const ending = readOutcome(layout);
    if (ending !== null) untold.push({ ...key, ending, bytes: outputBytes(layout) });
    else kept.push(settle(dependencies, layout, name));
  }
  kept.sort((a, b) => a.endedAt - b.endedAt);
  for (const attempt of kept) dependencies.retention.keep(attempt);
  return untold;
}

/** One that is forgotten, or was cut short and so counts as lost by the change of the incarnation. */
function settle({ remover }: RecoverDependencies, layout: AttemptLayout, name: string): KeptAttempt {
  if (!existsSync(layout.forgotten)) {
    markForgotten(layout);
    for (const path of [layout.work, layout.outputs, layout.tmp]) remover.remove(path);
    for (const path of [layout.stdin, layout.meta, layout.unused]) rmSync(path, { force: true });
  }
  return { name, endedAt: statSync(layout.forgotten).mtimeMs, bytes: outputBytes(layout) };
}

function outputBytes(layout: AttemptLayout): number {
  return sizeOf(layout.stdout) + sizeOf(layout.stderr);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Processes that fork while they are looked for are found by looking again. */
const ROUNDS_MAX = 10;

/** Ends every process of an attempt whose runner is gone. */
export function killLeftBehind({ logger }: { readonly logger: Logger }, folder: string): void {
  let killed = killNotedGroups(folder);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const found = killByEnvironment(folder);
    killed += found;
    if (found === 0) break;
  }
  if (killed > 0) logger.warn({ killed }, 'processes of jobs were left by a runner that died; they were killed');
}

function killNotedGroups(folder: string): number {
  let killed = 0;
  for (const name of readdirSync(folder)) {
    const key = parseAttemptName(name);
    const meta = key === null ? null : readMeta(attemptLayout(folder, key));
    if (meta === null || !isAlive(meta)) continue;
    signalGroup(meta.pid, 'SIGKILL');
    killed += 1;
  }
  return killed;
}

/** Each process of a job carries the attempt's folder in its environment, unless it took care not to. */
function killByEnvironment(folder: string): number {
  if (process.platform !== 'linux') return 0;
  const mark = `QUORATE_OUTPUTS=${folder}/`;
  let killed = 0;
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isSafeInteger(pid) || pid === process.pid || !carries(pid, mark)) continue;
    try {
      process.kill(pid, 'SIGKILL');
      killed += 1;
    } catch {
      continue;
    }
  }
  return killed;
}

function carries(pid: number, mark: string): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
    return environment.startsWith(mark) || environment.includes(`\0${mark}`);
  } catch {
    return false;
  }
}
