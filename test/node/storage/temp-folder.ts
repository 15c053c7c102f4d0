import { access, constants, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder that is removed when the test has ended. */
export async function tempFolder(): Promise<string> {
  const folder = await newFolder();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** In memory where the system has such a folder: for thousands of databases, whose syncs would take minutes. */
export async function memoryFolder(): Promise<string> {
  const at = await access('/dev/shm', constants.W_OK).then(
    () => '/dev/shm',
    () => tmpdir(),
  );
  const folder = await mkdtemp(join(at, 'quorate-storage-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** For properties, which need one folder a run: the caller removes it. */
export function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'quorate-storage-'));
}

/** What the disk holds at this moment, as after kill -9. LevelDB may remove files meanwhile: those are left out. */
export async function crashCopy(folder: string, into: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      await rm(into, { recursive: true, force: true });
      await cp(folder, into, { recursive: true });
      return into;
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}
