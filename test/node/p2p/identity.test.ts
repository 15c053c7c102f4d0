import { describe, expect, test } from 'vitest';
import { createClusterKey, formatSwarmKey } from '../../../node/p2p/cluster-key.ts';
import { createNodeKey, decodeNodeKey, encodeNodeKey, loadNodeKey, nodeIdOf } from '../../../node/p2p/identity.ts';
import { Fault, Rejection } from '../../../src/errors.ts';

function folder(read: (stored: Map<string, string>, name: string) => string | null) {
  const stored = new Map<string, string>();
  return {
    stored,
    readSecret: async (name: string) => read(stored, name),
    writeSecret: async (name: string, content: string) => void stored.set(name, content),
  };
}

describe("the node's key", () => {
  test('is the same node after it was stored and read', async () => {
    const key = await createNodeKey();
    expect(nodeIdOf(decodeNodeKey(encodeNodeKey(key)))).toBe(nodeIdOf(key));
    expect(nodeIdOf(key)).toMatch(/^12D3KooW/);
  });

  test('is made at the first start and kept', async () => {
    const files = folder((stored, name) => stored.get(name) ?? null);
    const first = await loadNodeKey(files);
    expect(files.stored.size).toBe(1);
    expect(nodeIdOf(await loadNodeKey(files))).toBe(nodeIdOf(first));
  });

  test('is not replaced when it is there and cannot be read', async () => {
    const files = folder(() => {
      throw Object.assign(new Error('not allowed'), { code: 'EACCES' });
    });
    await expect(loadNodeKey(files)).rejects.toThrow('not allowed');
    expect(files.stored.size).toBe(0);
  });

  test('that is damaged is a fault', async () => {
    await expect(loadNodeKey(folder(() => 'AAAA'))).rejects.toThrow(Fault);
    await expect(loadNodeKey(folder(() => ''))).rejects.toThrow(Fault);
  });
});

describe("the cluster's key", () => {
  test('is written as pnet reads it', () => {
    const key = createClusterKey();
    const lines = Buffer.from(formatSwarmKey(key)).toString().split('\n');
    expect(lines.slice(0, 2)).toEqual(['/key/swarm/psk/1.0.0/', '/base16/']);
    expect(lines[2]).toBe(Buffer.from(key).toString('hex'));
  });

  test('of another length is refused', () => {
    expect(() => formatSwarmKey(new Uint8Array(16))).toThrow(Rejection);
  });
});
