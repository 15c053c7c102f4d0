import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JobFiles, type JobFilesDependencies } from '../../../node/execution/job-files.ts';
import type { JobTrees } from '../../../node/trees/port.ts';
import { parseName } from '../../../src/cas/digest.ts';
import { Fault, Rejection } from '../../../src/errors.ts';
import type { LiveJob, Job } from '../../../src/jobs/job.ts';
import type { JobSpec } from '../../../src/jobs/spec.ts';
import { ending, FAILED, jobId } from '../../src/builders.ts';
import { makeTempFolder, type TempFolder } from '../../support/temp-folder.ts';

const ROOT = `sha256:${'ab'.repeat(32)}`;
const OTHER = `sha256:${'cd'.repeat(32)}`;
const LEFT = { rootDigest: OTHER, entries: 1, bytes: 1 };

let temp: TempFolder;
beforeEach(async () => {
  temp = await makeTempFolder('job-files');
});
afterEach(async () => {
  vi.useRealTimers();
  await temp.remove();
});

const trees: JobTrees = {
  materialise: (_parts, folder) => mkdir(folder),
  keep: async () => null,
};

function open(some: Partial<Omit<JobFilesDependencies, 'trees'>> & { readonly trees?: Partial<JobTrees> } = {}) {
  const logger = pino({ level: 'silent' });
  const all = { findJob: async () => null, logger, ...some, trees: { ...trees, ...some.trees } };
  return JobFiles.open(all, temp.path);
}

const live = (inputs: JobSpec['inputs']): LiveJob =>
  ({ id: jobId(1), spec: { command: ['true'], inputs }, current: { attempt: 2 } }) as unknown as LiveJob;
const key = { job: jobId(1), attempt: 2 };

describe('the inputs of an attempt', () => {
  it('are its tree and what other jobs left in their last attempt, each where it is to lie', async () => {
    const asked: unknown[] = [];
    const files = await open({
      trees: { materialise: async (parts, folder) => void asked.push(parts, folder) },
      findJob: async () => ({ past: [ending(), { ...ending(), outputs: LEFT }] }) as unknown as Job,
    });
    const outputsOf = [{ job: jobId(2) }, { job: jobId(3), at: 'deep' }];
    const prepared = await files.prepare(live({ rootDigest: ROOT, outputsOf }));
    const folder = join(temp.path, 'staging', `${jobId(1)}-2`);
    expect(prepared).toEqual({ kind: 'ready', folder });
    const parts = [
      { root: parseName(ROOT), at: '' },
      { root: parseName(OTHER), at: '' },
      { root: parseName(OTHER), at: 'deep' },
    ];
    expect(asked).toEqual([parts, folder]);
  });

  it('are nothing of a job that left nothing', async () => {
    const asked: unknown[] = [];
    const files = await open({
      trees: { materialise: async (parts) => void asked.push(parts) },
      findJob: async () => ({ past: [ending()] }) as unknown as Job,
    });
    await files.prepare(live({ outputsOf: [{ job: jobId(2) }] }));
    expect(asked).toEqual([[]]);
  });

  it('that are wrong make the attempt fail, with the reason', async () => {
    const files = await open({
      trees: { materialise: () => Promise.reject(new Rejection('invalidTree', 'it is no folder')) },
    });
    expect(await files.prepare(live({ rootDigest: ROOT }))).toEqual({
      kind: 'failed',
      end: { ...FAILED, exitCode: null, reason: 'its inputs: it is no folder' },
    });
  });

  it.each(['../x', '/x', 'a/../../x'])('that are to lie at %s, outside of its folder, make it fail', async (at) => {
    const files = await open({ findJob: async () => ({ past: [{ ...ending(), outputs: LEFT }] }) as unknown as Job });
    expect(await files.prepare(live({ outputsOf: [{ job: jobId(2), at }] }))).toMatchObject({
      kind: 'failed',
      end: { outcome: 'failed', reason: expect.stringContaining(at) },
    });
  });

  it('of a job that is not kept any longer make it fail', async () => {
    const prepared = await (await open()).prepare(live({ outputsOf: [{ job: jobId(2) }] }));
    expect(prepared).toMatchObject({ kind: 'failed', end: { outcome: 'failed' } });
  });

  it.each([
    [new Fault('diskFull', 'no room'), { outcome: 'lost', reason: 'its inputs: no room' }],
    [new Rejection('notFound', 'it is nowhere'), { outcome: 'failed', reason: 'its inputs: it is nowhere' }],
  ])('that cannot be brought now are tried again before they are given up: %s', async (error, end) => {
    vi.useFakeTimers();
    let tries = 0;
    const files = await open({
      trees: {
        materialise() {
          tries += 1;
          return Promise.reject(error);
        },
      },
    });
    const prepared = files.prepare(live({ rootDigest: ROOT }));
    await vi.runAllTimersAsync();
    expect(await prepared).toMatchObject({ kind: 'failed', end });
    expect(tries).toBe(3);
  });

  it('come no further once nobody wants them', async () => {
    const files = await open({
      trees: {
        materialise: (_parts, _folder, signal) =>
          new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      },
    });
    const prepared = files.prepare(live({ rootDigest: ROOT }));
    await new Promise((resolve) => setImmediate(resolve));
    files.stop(key);
    expect(await prepared).toEqual({ kind: 'stopped' });
  });

  it('that an earlier process had prepared are removed at the start', async () => {
    await mkdir(join(temp.path, 'staging'));
    await writeFile(join(temp.path, 'staging/old'), '');
    await open();
    expect(await readdir(join(temp.path, 'staging'))).toEqual([]);
  });
});

describe('the outputs of an attempt', () => {
  it('are kept of its own folders, as the spec says', async () => {
    const asked: unknown[] = [];
    const files = await open({
      trees: {
        async keep(places) {
          asked.push(places);
          return LEFT;
        },
      },
    });
    const end = await files.withOutputs(key, { command: ['true'], outputs: ['dist'] }, ending());
    expect(end).toEqual({ ...ending(), outputs: LEFT });
    const root = join(temp.path, 'runner/attempts', `${jobId(1)}-2`);
    expect(asked).toEqual([{ work: `${root}/work`, outputs: `${root}/outputs`, patterns: ['dist'] }]);
  });

  it('that are none leave the end as it is', async () => {
    expect(await (await open()).withOutputs(key, undefined, FAILED)).toEqual(FAILED);
  });

  it.each([
    [ending(), { outcome: 'failed', exitCode: 0, reason: 'its outputs could not be kept: no room' }],
    [
      { ...FAILED, reason: 'why' },
      { outcome: 'failed', reason: 'why; its outputs could not be kept: no room' },
    ],
    [ending({ outcome: 'cancelled' }), { outcome: 'cancelled' }],
  ])('that cannot be kept make it fail, and say why: %j', async (end, told) => {
    const files = await open({ trees: { keep: () => Promise.reject(new Fault('diskFull', 'no room')) } });
    expect(await files.withOutputs(key, undefined, end)).toMatchObject(told);
  });

  it('that lie outside of its folder make it fail, and nothing is read', async () => {
    const files = await open({ trees: { keep: async () => LEFT } });
    const end = await files.withOutputs(key, { command: ['true'], outputs: ['dist', '../other'] }, ending());
    expect(end).toMatchObject({ outcome: 'failed', reason: expect.stringContaining('../other') });
    expect(end).not.toHaveProperty('outputs');
  });
});
