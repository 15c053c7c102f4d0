import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { makeTempFolder } from '../support/temp-folder.ts';
import { formatNumber } from './figures.ts';
import type { BenchRun, Table } from './table.ts';

const ENTRIES = 10_000_000;
const SAMPLES = 10;
/** On a busy machine fewer entries are applied; the rows tell how many. */
const MINUTES = 5;
const BYTES_OF_MIB = 2 ** 20;

export interface MemoryPlan {
  readonly folder: string;
  readonly entries: number;
  /** After each share of the entries, and before the first. */
  readonly samples: number;
  /** No sample is begun later than this after the start. */
  readonly endsAfterMs: number;
}

export interface MemorySample {
  readonly applied: number;
  /** Of entries since the last sample. */
  readonly perSecond: number;
  readonly residentBytes: number;
  /** After a garbage collection. */
  readonly heapBytes: number;
  readonly outsideBytes: number;
  readonly logEntries: number;
  readonly delayMs: number;
}

/**
 * One follower with its real log and state in a process of its own. Its leader is played in the same process, so that
 * millions of entries come in minutes: a thousand in each append, acknowledged when they are synced. The state does not
 * grow, so whatever grows is kept for applied entries.
 */
export const memory: Table = {
  name: 'memory',
  heading: 'Memory by applied entries',
  columns: [
    'entries applied',
    'resident',
    'heap after collection',
    'buffers',
    'entries in the log',
    'applied per second',
    'longest event-loop delay',
  ],
  async measure(run) {
    const samples = await samplesOf(run);
    return samples.map((sample) => [
      formatNumber(sample.applied),
      mib(sample.residentBytes),
      mib(sample.heapBytes),
      mib(sample.outsideBytes),
      formatNumber(sample.logEntries),
      `${formatNumber(sample.perSecond)}/s`,
      `${formatNumber(sample.delayMs)} ms`,
    ]);
  },
};

async function samplesOf(run: BenchRun): Promise<readonly MemorySample[]> {
  const folder = await makeTempFolder('memory');
  run.removeAtTheEnd(folder);
  const plan: MemoryPlan = {
    folder: folder.path,
    entries: run.scaled(ENTRIES),
    samples: SAMPLES,
    endsAfterMs: MINUTES * 60_000,
  };
  run.tell(`memory: ${formatNumber(plan.entries)} entries, once`);
  const program = join(import.meta.dirname, 'memory-process.ts');
  const child = fork(program, [JSON.stringify(plan)], { execArgv: ['--expose-gc'] });
  const samples: MemorySample[] = [];
  child.on('message', (sample: MemorySample) => {
    samples.push(sample);
    run.tell(`memory: ${formatNumber(sample.applied)} applied, ${mib(sample.residentBytes)} resident`);
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const [code] = (await once(child, 'exit')) as [number | null];
  process.off('exit', kill);
  if (code !== 0) throw new Error(`the process that was measured ended with ${code}`);
  return samples;
}

function mib(bytes: number): string {
  return `${formatNumber(bytes / BYTES_OF_MIB)} MiB`;
}
