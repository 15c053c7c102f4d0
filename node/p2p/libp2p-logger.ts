import type { ComponentLogger, Logger as Libp2pLogger } from '@libp2p/interface';
import type { Logger } from 'pino';

/**
 * libp2p logs every frame; its own formatter would run for each. Its errors are what a network does all day (a refused
 * dial, a reset stream), so they are kept for `trace`.
 */
export function libp2pLogger(logger: Logger): ComponentLogger {
  return { forComponent: (component) => componentLogger(logger, component) };
}

function componentLogger(logger: Logger, component: string): Libp2pLogger {
  const silent = (): void => {};
  const error = (format: unknown, ...details: unknown[]): void => {
    if (!logger.isLevelEnabled('trace')) return;
    logger.trace({ component, format, details: details.map(String) }, 'libp2p');
  };
  return Object.assign(silent, {
    error,
    trace: silent,
    enabled: false,
    newScope: (name: string) => componentLogger(logger, `${component}:${name}`),
  });
}
