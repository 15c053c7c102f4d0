/** On a channel's stream: type u8 · id u32 big endian · body. A type's number is never used again for another. */
export const RPC_TYPES = { request: 0, answer: 1, error: 2, ping: 3, pong: 4 } as const;
export type RpcType = keyof typeof RPC_TYPES;

const TYPES = new Map<number, RpcType>(Object.entries(RPC_TYPES).map(([type, code]) => [code, type as RpcType]));
export const RPC_HEADER_BYTES = 5;
const NOTHING = new Uint8Array(0);

export interface RpcFrame {
  readonly type: RpcType;
  readonly id: number;
  /** A view into the frame. */
  readonly body: Uint8Array;
}

export function encodeRpcFrame(type: RpcType, id: number, body: Uint8Array = NOTHING): Uint8Array {
  const frame = Buffer.allocUnsafe(RPC_HEADER_BYTES + body.length);
  frame.writeUInt8(RPC_TYPES[type], 0);
  frame.writeUInt32BE(id, 1);
  frame.set(body, RPC_HEADER_BYTES);
  return frame;
}

/** Null when it is malformed. */
export function decodeRpcFrame(frame: Uint8Array): RpcFrame | null {
  if (frame.length < RPC_HEADER_BYTES) return null;
  const type = TYPES.get(frame[0] ?? -1);
  if (type === undefined) return null;
  const id = new DataView(frame.buffer, frame.byteOffset, RPC_HEADER_BYTES).getUint32(1);
  return { type, id, body: frame.subarray(RPC_HEADER_BYTES) };
}
