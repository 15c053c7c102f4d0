import { chmodSync, lstatSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';

/** Removals that wait; past it they are done at once, which slows down who makes more. */
const BACKLOG_MAX = 10_000;

/** Removes folders of jobs in the background, one at a time. What fails is logged and found again at the next start. */
export interface Remover {
  remove(path: string): void;
}

export function createRemover({ logger }: { readonly logger: Logger }): Remover {
  const backlog: string[] = [];
  let working: Promise<void> | null = null;

  async function work(): Promise<void> {
    for (let path = backlog.shift(); path !== undefined; path = backlog.shift()) {
      try {
        await removeTree(path);
      } catch (err) {
        logger.warn({ err, path }, 'a folder of a job cannot be removed');
      }
    }
    working = null;
  }

  return {
    remove(path) {
      if (removeEmpty(path)) return;
      if (backlog.length >= BACKLOG_MAX) {
        rmSync(path, { recursive: true, force: true });
        return;
      }
      backlog.push(path);
      working ??= work();
    },
  };
}

/** The common case, in one call. */
function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EACCES' && code !== 'EPERM') throw error;
    openFolders(path);
    await rm(path, { recursive: true, force: true });
  }
}

/** Jobs leave folders without the right to write in them, as package caches do. */
function openFolders(path: string): void {
  if (!lstatSync(path).isDirectory()) return;
  chmodSync(path, 0o700);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openFolders(join(path, entry.name));
  }
}
