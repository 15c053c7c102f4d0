import { hash, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { JobAttempt } from '../../src/auth.ts';
import { isJobId } from '../../src/ids.ts';

/** `qjob_` JOB `_` ATTEMPT `_` MAC. */
const TOKEN = /^qjob_([0-9a-f-]{36})_(\d{1,9})_([A-Za-z0-9_-]{43})$/;
const KEY_BYTES = 32;
/** Of SHA-256, as HMAC (RFC 2104) pads its key to. */
const BLOCK_BYTES = 64;

/**
 * The tokens that jobs find in their environment. None is stored: each names its attempt and is authentic by a MAC
 * under a key that every member derives from the cluster's, so any node makes them and any node knows them.
 */
export class JobTokens {
  readonly #innerPad: Buffer;
  readonly #outerPad: Buffer;

  constructor(cluster: { readonly clusterKey: Uint8Array; readonly clusterId: string }) {
    const { clusterKey, clusterId } = cluster;
    const key = new Uint8Array(hkdfSync('sha256', clusterKey, clusterId, 'quorate job token 1', KEY_BYTES));
    this.#innerPad = Buffer.alloc(BLOCK_BYTES, 0x36);
    this.#outerPad = Buffer.alloc(BLOCK_BYTES, 0x5c);
    for (const [at, byte] of key.entries()) {
      this.#innerPad.writeUInt8(0x36 ^ byte, at);
      this.#outerPad.writeUInt8(0x5c ^ byte, at);
    }
  }

  format({ id, attempt }: JobAttempt): string {
    return `qjob_${id}_${attempt}_${this.#mac({ id, attempt }).toString('base64url')}`;
  }

  /** The attempt that a token was made for, whether it still runs or not; null: it is none of these tokens. */
  parse(text: string): JobAttempt | null {
    const [, id = '', attempt, mac = ''] = TOKEN.exec(text) ?? [];
    if (!isJobId(id)) return null;
    const named = { id, attempt: Number(attempt) };
    return timingSafeEqual(Buffer.from(mac, 'base64url'), this.#mac(named)) ? named : null;
  }

  /** HMAC-SHA-256 by two calls that leave nothing to be collected: one is made for each attempt. */
  #mac({ id, attempt }: JobAttempt): Buffer {
    const inner = hash('sha256', Buffer.concat([this.#innerPad, Buffer.from(`${id}/${attempt}`)]), 'buffer');
    return hash('sha256', Buffer.concat([this.#outerPad, inner]), 'buffer');
  }
}
