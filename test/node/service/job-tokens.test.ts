import { createHmac, hkdfSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { JobTokens } from '../../../node/service/job-tokens.ts';
import { jobId } from '../../src/builders.ts';

const clusterKey = new Uint8Array(32).fill(7);
const tokens = new JobTokens({ clusterKey, clusterId: 'one' });
const attempt = { id: jobId(1), attempt: 2 };

describe('the token of a job', () => {
  it('names its attempt to every node of its cluster', () => {
    const text = tokens.format(attempt);
    expect(new JobTokens({ clusterKey, clusterId: 'one' }).parse(text)).toEqual(attempt);
  });

  it('ends with an HMAC of its attempt under the key of all jobs of the cluster', () => {
    const key = new Uint8Array(hkdfSync('sha256', clusterKey, 'one', 'quorate job token 1', 32));
    const mac = createHmac('sha256', key)
      .update(`${jobId(1)}/2`)
      .digest('base64url');
    expect(tokens.format(attempt)).toBe(`qjob_${jobId(1)}_2_${mac}`);
  });

  it('is none to another cluster, or to one with another key', () => {
    const text = tokens.format(attempt);
    expect(new JobTokens({ clusterKey, clusterId: 'two' }).parse(text)).toBeNull();
    expect(new JobTokens({ clusterKey: new Uint8Array(32), clusterId: 'one' }).parse(text)).toBeNull();
  });

  it('is none when a character of it is another', () => {
    const text = tokens.format(attempt);
    for (let at = 0; at < text.length - 1; at += 1) {
      const other = text[at] === '1' ? '2' : '1';
      expect(tokens.parse(text.slice(0, at) + other + text.slice(at + 1)), `at ${at}`).toBeNull();
    }
  });

  it('is not to be taken for a token of another kind', () => {
    for (const text of [
      '',
      'x',
      'qt_0011223344556677_aaaa',
      `qjob_${jobId(1)}_2_`,
      `qjob_${'x'.repeat(36)}_2_${'a'.repeat(43)}`,
    ]) {
      expect(tokens.parse(text)).toBeNull();
    }
  });
});
