import type { Readable } from 'node:stream';
import { Output } from './output.ts';

/** What a command has of the world around it. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  /** From then on the signals come to the listener instead of ending the program. Returns what undoes it. */
  onSignal(listener: (signal: StopSignal) => void): () => void;
  /** Called when the process ends, however that comes, but for SIGKILL; it must do its work at once. Returns what undoes it. */
  onExit(listener: () => void): () => void;
}

/** Standard input; a terminal can be told to hand over each key. */
export type Input = Readable & { readonly isTTY?: boolean; setRawMode?(mode: boolean): unknown };

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

const STOP_SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

export function processContext(): CommandContext {
  return {
    env: process.env,
    stdin: process.stdin,
    stdout: new Output(process.stdout, 'standard output'),
    stderr: new Output(process.stderr, 'standard error'),
    onSignal(listener) {
      for (const signal of STOP_SIGNALS) process.on(signal, listener);
      return () => {
        for (const signal of STOP_SIGNALS) process.off(signal, listener);
      };
    },
    onExit(listener) {
      process.on('exit', listener);
      return () => void process.off('exit', listener);
    },
  };
}
