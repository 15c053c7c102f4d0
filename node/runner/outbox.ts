import { encodeFrame } from './frames.ts';
import { attemptName } from './layout.ts';
import type { AttemptEvent, FromRunner } from './messages.ts';

export interface Outbox {
  send(message: FromRunner): void;
}

/** A start is told with what is told next, or after this: that of a short job is not told at all, since its end tells it. */
const START_WAIT_MS = 5;

export function createOutbox(write: (frames: Buffer) => void): Outbox {
  let frames: (Buffer | AttemptEvent)[] = [];
  /** Where the starts among them stand. */
  const starts = new Map<string, number>();
  let timer: NodeJS.Timeout | null = null;
  let isDue = false;

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    isDue = false;
    const due = frames.flatMap((frame, at) => {
      if (Buffer.isBuffer(frame)) return [frame];
      return starts.get(attemptName(frame)) === at ? [encodeFrame({ kind: 'event', event: frame })] : [];
    });
    frames = [];
    starts.clear();
    if (due.length > 0) write(due.length === 1 && due[0] !== undefined ? due[0] : Buffer.concat(due));
  }

  return {
    send(message) {
      const event = message.kind === 'event' ? message.event : null;
      if (event?.kind === 'started') {
        starts.set(attemptName(event), frames.length);
        frames.push(event);
        timer ??= setTimeout(flush, START_WAIT_MS);
        return;
      }
      if (event !== null) starts.delete(attemptName(event));
      frames.push(encodeFrame(message));
      if (isDue) return;
      isDue = true;
      process.nextTick(flush);
    },
  };
}
