import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Index } from '../../raft/types.ts';
import { Fault } from '../../src/errors.ts';
import { readIfPresent, removeTemporaryFiles, syncFolder, writeDurably } from './durable-file.ts';

/**
 * The state database lies in a folder `state-N` of its parent, and `state.current` names the one that counts: a
 * received snapshot becomes the state by replacing that one small file. Without the file it is `state-1`.
 */
const POINTER = 'state.current';
/**
 * Names a received state that is whole and does not count yet. The log decides whether it will: once the log begins
 * behind that snapshot there is no way back to the old state.
 */
const NEXT = 'state.next';
const FIRST = 'state-1';
const NAME = /^state-([1-9][0-9]{0,14})$/;

/** The name of the folder that counts; it is there. @throws Fault `corrupt` when it is lost */
export async function findLiveState(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const pointer = (await readIfPresent(join(parent, POINTER)))?.toString().trim() ?? null;
  const present = await stateFolders(parent);
  const live = pointer ?? FIRST;
  if (!NAME.test(live)) throw new Fault('corrupt', `${join(parent, POINTER)} does not name a state folder`);
  if (present.includes(live)) return live;
  if (pointer !== null || present.length > 0) {
    throw new Fault('corrupt', `the state folder ${join(parent, live)} is gone`);
  }
  await mkdir(join(parent, live), { mode: 0o700 });
  await syncFolder(parent);
  return live;
}

/** A name for the state that comes next. */
export function nextState(live: string): string {
  return `state-${Number(NAME.exec(live)?.[1]) + 1}`;
}

/** The received state is whole and durable; it counts as soon as the log begins behind `applied`. */
export async function offerState(parent: string, name: string, applied: Index): Promise<void> {
  await syncFolder(join(parent, name));
  await writeDurably(join(parent, NEXT), `${name} ${applied}\n`, 0o600);
}

export async function withdrawState(parent: string): Promise<void> {
  await rm(join(parent, NEXT), { force: true });
}

/** After a crash between the log's change and the state's: goes on where it stopped. */
export async function finishSwitch(parent: string, logBegin: Index): Promise<void> {
  const offer = (await readIfPresent(join(parent, NEXT)))?.toString().trim().split(' ');
  if (offer === undefined) return;
  const [name = '', applied] = offer;
  if (NAME.test(name) && Number(applied) === logBegin) await switchState(parent, name);
  await withdrawState(parent);
}

/** From here on the named folder counts, also after the loss of power. It must be durable itself. */
export async function switchState(parent: string, name: string): Promise<void> {
  await syncFolder(join(parent, name));
  await syncFolder(parent);
  await writeDurably(join(parent, POINTER), `${name}\n`, 0o600);
}

/** What a crash left: states half received, states replaced, temporary files. */
export async function removeOtherStates(parent: string, live: string): Promise<void> {
  await removeTemporaryFiles(parent);
  for (const name of await stateFolders(parent)) {
    if (name !== live) await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function stateFolders(parent: string): Promise<readonly string[]> {
  return (await readdir(parent)).filter((name) => NAME.test(name));
}
