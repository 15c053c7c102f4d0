import type { Message } from '../../raft/types.ts';

export function encodeMessage(_message: Message): Uint8Array {
  throw new Error('under construction');
}

export function decodeMessage(_frame: Uint8Array): Message | null {
  throw new Error('under construction');
}
