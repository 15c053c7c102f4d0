import { describe, expect, it } from 'vitest';
import { specOfLine } from '../../../src/jobs/batch-line.ts';
import { checkBatchLine, checkJobSpec } from '../../../src/jobs/edge.ts';
import { jobId } from '../builders.ts';

const HASH = `sha256:${'ab'.repeat(32)}`;
const command = ['true'];
const refusal = (field: string): unknown =>
  expect.objectContaining({ code: 'invalidRequest', details: expect.objectContaining({ field }) as unknown });

describe('the files in a spec', () => {
  it('are a tree, what other jobs left, and what is kept', () => {
    const spec = {
      command,
      dependsOn: [{ job: jobId(1) }, { job: jobId(2), on: 'finished' }],
      inputs: { rootDigest: HASH, outputsOf: [{ job: jobId(1) }, { job: jobId(2), at: 'deep/er' }] },
      outputs: ['dist', 'reports/*.xml', '.'],
    };
    expect(checkJobSpec(spec)).toEqual(spec);
  });

  it.each<[string, object]>([
    ['inputs.rootDigest', { inputs: { rootDigest: 'ab'.repeat(32) } }],
    ['inputs.rootDigest', { inputs: { rootDigest: 'md5:00' } }],
    [
      'inputs.outputsOf[0].at',
      { dependsOn: [{ job: jobId(1) }], inputs: { outputsOf: [{ job: jobId(1), at: '../x' }] } },
    ],
    [
      'inputs.outputsOf[0].at',
      { dependsOn: [{ job: jobId(1) }], inputs: { outputsOf: [{ job: jobId(1), at: '/x' }] } },
    ],
    ['inputs.outputsOf[0].job', { inputs: { outputsOf: [{ job: jobId(1) }] } }],
    ['outputs[0]', { outputs: ['/etc'] }],
    ['outputs[1]', { outputs: ['a', 'b/../../c'] }],
    ['outputs[0]', { outputs: [''] }],
    ['outputs[0]', { outputs: ['a\0b'] }],
    ['outputs[0]', { outputs: ['n'.repeat(256)] }],
    ['outputs', { outputs: Array.from({ length: 257 }, (_, n) => `o${n}`) }],
  ])('are refused at %s: %j', (field, part) => {
    expect(() => checkJobSpec({ command, ...part })).toThrow(refusal(field));
  });

  it('name earlier lines of a batch', () => {
    const line = checkBatchLine({
      command,
      dependsOn: [{ ref: 'compile' }],
      inputs: { outputsOf: [{ ref: 'compile', at: 'objects' }] },
    });
    expect(specOfLine(line, () => jobId(7))).toEqual({
      command,
      dependsOn: [{ job: jobId(7) }],
      inputs: { outputsOf: [{ job: jobId(7), at: 'objects' }] },
    });
  });

  it('of a line that it does not wait for are refused', () => {
    const line = checkBatchLine({ command, inputs: { outputsOf: [{ ref: 'compile' }] } });
    expect(() => specOfLine(line, () => jobId(7))).toThrow(refusal('inputs.outputsOf[0].job'));
  });
});
