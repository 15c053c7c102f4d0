import { describe, expect, test } from 'vitest';
import { isLoopback, parseAddress, peerOf, withPeer } from '../../../node/p2p/addresses.ts';
import { Rejection } from '../../../src/errors.ts';

const PEER = '12D3KooWNREGUSyHFmPKuPTwYRBzpx6MBoF1sRksS3DEm1Vcg1Ui';

describe('an address', () => {
  test.each([
    ['10.0.0.1:7001', '/ip4/10.0.0.1/tcp/7001'],
    ['[::1]:7001', '/ip6/::1/tcp/7001'],
    ['node-1.example:7001', '/dns/node-1.example/tcp/7001'],
    ['localhost:1', '/dns/localhost/tcp/1'],
    [`/ip4/10.0.0.1/tcp/7001/p2p/${PEER}`, `/ip4/10.0.0.1/tcp/7001/p2p/${PEER}`],
  ])('%s is read as %s', (text, expected) => {
    expect(parseAddress(text).toString()).toBe(expected);
  });

  test.each([
    '',
    'node1',
    'node1:',
    ':7001',
    'node1:70000',
    'node1:x',
    'a b:1',
    '::1:7001',
    '/ip4/10.0.0.1',
    '/ip4/999.0.0.1/tcp/1',
    '/x',
    'http://node1:80',
  ])('%j is refused', (text) => {
    expect(() => parseAddress(text)).toThrow(Rejection);
  });

  test('names its peer once', () => {
    const address = withPeer(parseAddress('10.0.0.1:1'), PEER);
    expect(peerOf(address)).toBe(PEER);
    expect(withPeer(address, PEER).toString()).toBe(address.toString());
  });

  test('is a loopback one or not', () => {
    expect(
      ['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1'].every((text) => isLoopback(parseAddress(text))),
    ).toBe(true);
    expect(['10.0.0.1:1', '[fe80::1]:1', 'node1:1'].some((text) => isLoopback(parseAddress(text)))).toBe(false);
  });
});
