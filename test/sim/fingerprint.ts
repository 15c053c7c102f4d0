import { crc32 } from 'node:zlib';
import type { Entry } from '../../raft/types.ts';

const prints = new WeakMap<Entry, number>();

/** Equal entries have equal fingerprints. */
export function fingerprint(entry: Entry): number {
  let print = prints.get(entry);
  if (print === undefined) {
    print = crc32(contentOf(entry));
    prints.set(entry, print);
  }
  return print;
}

function contentOf(entry: Entry): Uint8Array | string {
  switch (entry.kind) {
    case 'data':
      return entry.data;
    case 'noop':
      return 'noop';
    case 'configuration':
      return JSON.stringify(entry.configuration);
  }
}
