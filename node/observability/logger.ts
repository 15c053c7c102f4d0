import { type DestinationStream, type Logger, pino } from 'pino';
import type { NodeConfig } from '../config/config.ts';

/**
 * What the levels mean: `error` somebody must act; `warn` something failed and is tried again or made do without;
 * `info` what an operator wants to read of a healthy day; `debug` each decision; `trace` each message.
 */
export function createLogger(level: NodeConfig['logLevel'], destination: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['*.authorization', '*.token', '*.secret', 'token', 'secret', 'authorization'], censor: '***' },
    },
    destination,
  );
}
