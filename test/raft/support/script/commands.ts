import type { Message } from '../../../../raft/types.ts';
import { node, OPTIONS } from '../builders.ts';
import type { Stage } from './stage.ts';
import { writeEntry, writeMessage, writeProgress, writeStatus } from './notation.ts';
import { toChange, toConfiguration, toCount, toData, toMatcher, toMessage, toSnapshot, type Words } from './words.ts';

type Command = (stage: Stage, words: Words) => void;

/** What each does is in test/raft/scripts/README.md. */
const TABLE: Readonly<Record<string, Command>> = {
  cluster: beginCluster,
  join: (stage, words) => void words.plain.map((name) => stage.cluster.join(name)),
  stored: beginStored,

  tick: (stage, words) => stage.cluster.tick(words.at(0), toCount(words.plain[1] ?? '1')),
  run: (stage, words) => stage.quietly(() => stage.cluster.run(toCount(words.at(0)))),
  settle: (stage) => stage.quietly(() => stage.cluster.settle()),
  elect: (stage, words) => stage.quietly(() => stage.cluster.elect(words.at(0))),
  stalled: (stage, words) => step(stage, words.at(0), { kind: 'stalled' }),

  propose: (stage, words) => void words.plain.slice(1).map((word) => stage.cluster.propose(words.at(0), toData(word))),
  read: (stage, words) => void stage.cluster.read(words.at(0)),
  ask: (stage, words) => step(stage, words.at(0), { kind: 'read', id: toCount(words.at(1)) }),
  change: (stage, words) => void stage.cluster.change(words.at(0), toChange(words)),
  transfer: (stage, words) => step(stage, words.at(0), { kind: 'transfer', to: node(words.at(1)) }),

  commit,
  disk: setDisk,
  restores: setRestores,
  restore: (stage, words) => stage.cluster.restore(words.at(0)),
  write,
  writeTogether: (stage, words) => stage.cluster.finishWritesTogether(words.at(0)),
  apply,
  diskStalled: (stage, words) => step(stage, words.at(0), { kind: 'diskStalled' }),
  compact: (stage, words) => stage.cluster.member(words.at(0)).compact(toCount(words.at(1))),

  deliver: (stage, words) => deliver(stage, take(stage, words)),
  drop: (stage, words) => {
    for (const message of take(stage, words)) stage.cluster.drop(message);
  },
  keep: (stage, words) => void stage.kept.set(words.at(0), takeMatching(stage, words.at(1), words.plain[2])),
  late,
  send: (stage, words) => insist(stage, [toMessage(words.at(0), words.at(1), words)]),
  unreachable: (stage, words) => step(stage, words.at(0), { kind: 'unreachable', peer: node(words.at(1)) }),
  cut: (stage, words) => {
    const [from = '', to = ''] = words.at(0).split('>');
    stage.cluster.cut(from, to);
  },
  partition: (stage, words) => stage.cluster.partition(...groups(words.plain)),
  heal: (stage) => stage.cluster.heal(),

  crash: (stage, words) => stage.cluster.crash(words.at(0), words.count('kept', 0)),
  restart: (stage, words) => stage.cluster.restart(words.at(0)),
  loseDisk: (stage, words) => stage.cluster.loseDisk(words.at(0)),

  status: (stage, words) => {
    const names = words.plain.length > 0 ? words.plain : [...stage.cluster.members.keys()];
    for (const name of names) stage.print(writeStatus(stage.cluster.member(name)));
  },
  log: (stage, words) => {
    for (const entry of stage.cluster.member(words.at(0)).memory.entries) stage.print(writeEntry(entry));
  },
  progress: (stage, words) => {
    for (const progress of stage.cluster.member(words.at(0)).raft.progress()) stage.print(writeProgress(progress));
  },
  network: (stage) => {
    for (const message of stage.cluster.inFlight) stage.print(writeMessage(message));
  },
};

export function commandNamed(name: string): Command {
  const command = TABLE[name];
  if (command === undefined) throw new Error(`no command ${name}`);
  return command;
}

function beginCluster(stage: Stage, words: Words): void {
  const voters = words.plain;
  const members = new Set([...voters, ...words.list('outgoing'), ...words.list('learners')]);
  const randoms = words.list('random');
  stage.begin({
    members: [...members],
    initial: toConfiguration(words, voters),
    raft: words.raftOptions(),
    random: (name) => Number(randoms[[...members].indexOf(name)] ?? 0),
  });
  const leader = words.text('leader');
  if (leader === null) return;
  stage.quietly(() => {
    // With leases nobody is elected before what may have been promised before the start would have ended.
    if (words.text('reads') === 'lease') stage.cluster.run(OPTIONS.electionTicks);
    stage.cluster.elect(leader);
  });
  stage.takeLines();
}

/** The member starts as if it had been there before, with this on its disk. */
function beginStored(stage: Stage, words: Words): void {
  const name = words.at(0);
  const at = words.text('snapshot');
  const snapshot = at === null ? null : toSnapshot(at, words.list('voters'));
  const entries = words.log('log', (snapshot?.index ?? 0) + 1);
  const term = words.count('term', entries.at(-1)?.term ?? snapshot?.term ?? 0);
  const vote = words.text('vote');
  const hardState = { term, vote: vote === null ? null : node(vote), commit: words.count('commit', 0) };
  stage.cluster.begin(name, { hardState, snapshot, entries, applied: words.count('applied', snapshot?.index ?? 0) });
}

/** Proposes, and waits for everything that follows. */
function commit(stage: Stage, words: Words): void {
  stage.quietly(() => {
    for (const word of words.plain.slice(1)) stage.cluster.propose(words.at(0), toData(word));
    stage.cluster.settle();
  });
}

function setRestores(stage: Stage, words: Words): void {
  stage.cluster.member(words.at(0)).restores = promptOrHeld(words.at(1));
}

function promptOrHeld(word: string): 'prompt' | 'held' {
  if (word !== 'held' && word !== 'prompt') throw new Error(`it is held or prompt, not ${word}`);
  return word;
}

function setDisk(stage: Stage, words: Words): void {
  stage.cluster.member(words.at(0)).disk = promptOrHeld(words.at(1));
}

function write(stage: Stage, words: Words): void {
  for (let left = toCount(words.plain[1] ?? '1'); left > 0; left -= 1) {
    if (!stage.cluster.finishWrite(words.at(0))) throw new Error('nothing is being written');
  }
}

function apply(stage: Stage, words: Words): void {
  if (!stage.cluster.apply(words.at(0))) throw new Error('nothing was given out to apply');
}

function late(stage: Stage, words: Words): void {
  const kept = stage.kept.get(words.at(0));
  if (kept === undefined) throw new Error(`nothing was kept as ${words.at(0)}`);
  insist(stage, kept);
}

function step(stage: Stage, name: string, input: Parameters<Stage['cluster']['step']>[1]): void {
  stage.cluster.step(name, input);
}

function take(stage: Stage, words: Words): readonly Message[] {
  return takeMatching(stage, words.plain[0] ?? '*', words.plain[1]);
}

function takeMatching(stage: Stage, link: string, kind: string | undefined): readonly Message[] {
  const taken = stage.cluster.intercept(toMatcher(link, kind));
  if (taken.length === 0) throw new Error('no such message is on its way');
  return taken;
}

function deliver(stage: Stage, messages: readonly Message[]): void {
  for (const message of messages) stage.cluster.deliver(message);
}

/** What a script lets arrive by name must arrive: a cut link would make it prove nothing. */
function insist(stage: Stage, messages: readonly Message[]): void {
  for (const message of messages) {
    if (!stage.cluster.reaches(message)) throw new Error(`${message.from} does not reach ${message.to}`);
    stage.cluster.deliver(message);
  }
}

/** `a b / c`: who reaches whom. */
function groups(words: readonly string[]): string[][] {
  const found: string[][] = [[]];
  for (const word of words) {
    if (word === '/') found.push([]);
    else found.at(-1)?.push(word);
  }
  return found;
}
