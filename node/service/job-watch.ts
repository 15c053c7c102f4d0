import { EventEmitter } from 'node:events';
import type { Job } from '../../src/jobs/job.ts';
import type { ChangeEvent } from '../../src/state/apply.ts';

/** Tells those who wait for a job or a group of its next change at this node. */
export class JobWatch {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  changed(events: readonly ChangeEvent[]): void {
    for (const event of events) {
      if (event.kind === 'job') this.#emitter.emit(event.job.id, event.job);
      else if (event.kind === 'group') this.#emitter.emit(event.id, null);
    }
  }

  /** After a snapshot took the place of the state: everyone looks again. */
  restored(): void {
    for (const id of this.#emitter.eventNames()) this.#emitter.emit(id, null);
  }

  /**
   * Looks with `look` now and at every change, until it gives something. Undefined: look again at the next change.
   * @returns null once the signal is aborted
   */
  async until<Found>(
    id: string,
    signal: AbortSignal,
    look: (changed: Job | null) => Promise<Found | undefined> | Found | undefined,
  ): Promise<Found | null> {
    let wake: (() => void) | null = null;
    let latest: Job | null = null;
    const onChange = (job: Job | null): void => {
      latest = job;
      wake?.();
    };
    const onAbort = (): void => wake?.();
    this.#emitter.on(id, onChange);
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        // Made before the look, so that a change in the middle of it is not missed.
        const changed = new Promise<void>((resolve) => (wake = resolve));
        const found = await look(latest);
        if (found !== undefined) return found;
        if (!signal.aborted) await changed;
      }
      return null;
    } finally {
      this.#emitter.off(id, onChange);
      signal.removeEventListener('abort', onAbort);
    }
  }
}
