import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { JobAttempt } from '../../src/auth.ts';
import { isJobId } from '../../src/ids.ts';

/** `qjob_` JOB `_` ATTEMPT `_` MAC. */
const TOKEN = /^qjob_([0-9a-f-]{36})_(\d{1,9})_([A-Za-z0-9_-]{43})$/;
const KEY_BYTES = 32;

/**
 * The tokens that jobs find in their environment. None is stored: each names its attempt and is authentic by a MAC
 * under a key that every member derives from the cluster's, so any node makes them and any node knows them.
 */
export class JobTokens {
  readonly #key: Buffer;

  constructor(cluster: { readonly clusterKey: Uint8Array; readonly clusterId: string }) {
    const { clusterKey, clusterId } = cluster;
    this.#key = Buffer.from(hkdfSync('sha256', clusterKey, clusterId, 'quorate job token 1', KEY_BYTES));
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

  #mac({ id, attempt }: JobAttempt): Buffer {
    return createHmac('sha256', this.#key).update(`${id}/${attempt}`).digest();
  }
}
