import type { NodeId } from '../../src/ids.ts';
import { decodeLogOffsets, decodeLogPieces, encodeOpen } from '../open-messages.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import type { LogOffsets, LogPiece, LogReader } from '../runner/ports.ts';
import type { LogName } from './shared-logs.ts';

export interface LogSourcesDependencies {
  readonly self: NodeId;
  readonly network: Pick<PeerNetwork, 'open'>;
  readonly reader: LogReader;
}

/** Logs as they lie on the machine that ran the attempt, this one or another. */
export class LogSources {
  readonly #parts: LogSourcesDependencies;

  constructor(dependencies: LogSourcesDependencies) {
    this.#parts = dependencies;
  }

  /** @param range `maxBytes` null: the whole, or as much as is there when it does not follow */
  open(
    { runner, job, attempt, stream, follow }: LogName,
    { from, maxBytes }: { readonly from: LogOffsets; readonly maxBytes: number | null },
    signal: AbortSignal,
  ): AsyncIterable<LogPiece> {
    const { self, network, reader } = this.#parts;
    if (runner === self) return reader.read({ job, attempt }, { stream, follow, tail: null, from }, signal);
    const request = encodeOpen({ kind: 'log', job, attempt, stream, follow, from: offsetsOf(from), maxBytes });
    return decodeLogPieces(network.open(runner, request, signal));
  }

  /** Where the last lines of each output begin. */
  async tail({ runner, job, attempt }: LogName, lines: number, signal: AbortSignal): Promise<LogOffsets> {
    const { self, network, reader } = this.#parts;
    if (runner === self) return await reader.tail({ job, attempt }, lines);
    const chunks = network.open(runner, encodeOpen({ kind: 'logTail', job, attempt, lines }), signal);
    return decodeLogOffsets(Buffer.concat(await Array.fromAsync(chunks)));
  }
}

function offsetsOf({ stdout, stderr }: LogOffsets): LogOffsets {
  return { stdout, stderr };
}
