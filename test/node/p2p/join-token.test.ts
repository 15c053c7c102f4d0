import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeJoinToken, encodeJoinToken, type JoinToken } from '../../../node/p2p/join-token.ts';
import { Rejection } from '../../../src/errors.ts';
import type { TokenId } from '../../../src/ids.ts';

const TOKEN: JoinToken = {
  clusterId: '019a-cluster',
  key: new Uint8Array(32).map((_, position) => position),
  addresses: ['/ip4/10.0.0.1/tcp/7001', 'node2.example:7001', '[::1]:7001'],
  id: 'tok_1' as TokenId,
  secret: 'hush',
  expiresAt: 1_800_000_000_000,
};

function rejectionOf(text: string): Rejection {
  try {
    decodeJoinToken(text);
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('a join token', () => {
  test('brings back what it was made of', () => {
    const { key, ...rest } = decodeJoinToken(encodeJoinToken(TOKEN));
    const { key: expectedKey, ...expected } = TOKEN;
    expect(rest).toEqual(expected);
    expect([...key]).toEqual([...expectedKey]);
  });

  test('begins with its version and is one word', () => {
    expect(encodeJoinToken(TOKEN)).toMatch(/^qj1_[A-Za-z0-9_-]+$/);
  });

  test('may have blanks around it, as copied', () => {
    expect(decodeJoinToken(` ${encodeJoinToken(TOKEN)}\n`).secret).toBe('hush');
  });

  test('copied in part is refused with words, wherever it was cut', () => {
    const text = encodeJoinToken(TOKEN);
    for (let length = 4; length < text.length; length += 1) {
      const { code, message } = rejectionOf(text.slice(0, length));
      expect(code).toBe('invalidRequest');
      expect(message).toContain('incomplete');
    }
  });

  test('with any one character changed is refused', () => {
    const text = encodeJoinToken(TOKEN);
    for (let at = 4; at < text.length; at += 1) {
      const other = text[at] === 'A' ? 'B' : 'A';
      expect(rejectionOf(text.slice(0, at) + other + text.slice(at + 1)).code).toBe('invalidRequest');
    }
  });

  test('that is any other text is refused, never more than that', () => {
    fc.assert(fc.property(fc.string(), (text) => void rejectionOf(text)));
    fc.assert(fc.property(fc.base64String(), (text) => void rejectionOf(`qj1_${text}`)));
  });

  test('with an address that is none is refused', () => {
    const { message } = rejectionOf(encodeJoinToken({ ...TOKEN, addresses: ['/ip4/300.0.0.1/tcp/1'] }));
    expect(message).toContain('300.0.0.1');
  });

  test('with a key of another length is refused', () => {
    expect(rejectionOf(encodeJoinToken({ ...TOKEN, key: new Uint8Array(31) })).code).toBe('invalidRequest');
  });
});
