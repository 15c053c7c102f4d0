import { encodeFrame } from './frames.ts';
import type { FromRunner } from './messages.ts';

export interface Outbox {
  send(message: FromRunner): void;
}

/** A start is told with what is told next, or after this: of a short job it then comes in one write with the end. */
const START_WAIT_MS = 5;

export function createOutbox(write: (frames: Buffer) => void): Outbox {
  let frames: Buffer[] = [];
  let timer: NodeJS.Timeout | null = null;
  let isDue = false;

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    isDue = false;
    const due = frames;
    frames = [];
    write(due.length === 1 && due[0] !== undefined ? due[0] : Buffer.concat(due));
  }

  return {
    send(message) {
      frames.push(encodeFrame(message));
      if (isDue) return;
      if (message.kind === 'event' && message.event.kind === 'started') {
        timer ??= setTimeout(flush, START_WAIT_MS);
      } else {
        isDue = true;
        process.nextTick(flush);
      }
    },
  };
}
