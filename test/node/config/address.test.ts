import { describe, expect, it } from 'vitest';
import { formatAddress, isLoopback, parseAddress } from '../../../node/config/address.ts';

describe('an address', () => {
  it.each([
    ['127.0.0.1:8750', { host: '127.0.0.1', port: 8750 }],
    ['0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
    ['[::1]:65535', { host: '::1', port: 65535 }],
    ['node-1.example:1', { host: 'node-1.example', port: 1 }],
  ])('%s is read and written back', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(formatAddress(address)).toBe(text);
  });

  it.each([
    '',
    '8750',
    ':8750',
    'host',
    'host:',
    'host:65536',
    'host:-1',
    'host:0x50',
    '::1:80',
    '[::1]',
    '[host]:80',
    '256.1.1.1:80',
    '1.2.3:80',
    'a b:80',
    'http://host:80',
    '-host:80',
    'host..name:80',
  ])('%j is none', (text) => expect(parseAddress(text)).toBeNull());
});

describe('loopback', () => {
  it.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost', 'LOCALHOST'])('is %s', (host) =>
    expect(isLoopback(host)).toBe(true),
  );
  it.each(['0.0.0.0', '::', '10.0.0.1', '127.example.com', 'localhost.example.com', 'node-1'])('is not %s', (host) =>
    expect(isLoopback(host)).toBe(false),
  );
});
