import type { ToRunner } from './messages.ts';

export interface Turns {
  take(message: ToRunner): void;
  /** Forgets what waits: the node that said it is gone, and the next one says what it wants. */
  clear(): void;
}

/**
 * What is about attempts goes one after another, and after each start the event loop has its turn: starting a process
 * holds it, and an end that is told meanwhile lets the node work on while the next ones start. The rest does not wait:
 * a lease must not end while its renewal stands behind starts.
 */
export function createTurns(onMessage: (message: ToRunner) => void): Turns {
  let waiting: ToRunner[] = [];
  let isWorking = false;

  function work(): void {
    for (const [at, message] of waiting.entries()) {
      onMessage(message);
      if (message.kind !== 'start') continue;
      waiting = waiting.slice(at + 1);
      setImmediate(work);
      return;
    }
    waiting = [];
    isWorking = false;
  }

  return {
    take(message) {
      if (message.kind === 'hello' || message.kind === 'renew' || message.kind === 'shutdown')
        return onMessage(message);
      waiting.push(message);
      if (isWorking) return;
      isWorking = true;
      work();
    },
    clear() {
      waiting = [];
    },
  };
}
