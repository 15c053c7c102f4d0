import type { Logger } from 'pino';
import { unreachable } from '../../src/errors.ts';
import { Attempts } from './attempts.ts';
import type { AttemptsOptions } from './attempts.ts';
import { isAttemptKey } from './layout.ts';
import type { Launcher } from './launcher.ts';
import type { Lease } from './lease.ts';
import type { FromRunner, ToRunner } from './messages.ts';
import type { Assignment, AttemptKey } from './ports.ts';
import type { Remover } from './remover.ts';
import type { Retention } from './retention.ts';
import type { SilentList } from './silent-list.ts';
import type { SpareFolders } from './spare-folders.ts';

/** Jobs of a lease that is over have to be gone before the leader declares the runner lost. */
const LEASE_GRACE_MS = 2_000;

export interface RunnerDependencies {
  readonly logger: Logger;
  readonly launcher: Launcher;
  readonly remover: Remover;
  readonly retention: Retention;
  readonly spares: SpareFolders;
  readonly silentList: SilentList;
  readonly lease: Lease;
  readonly send: (message: FromRunner) => void;
}

/** What the runner process does with the messages of the node. */
export class Runner {
  readonly #dependencies: RunnerDependencies;
  readonly #options: AttemptsOptions;
  readonly #attempts: Attempts;
  #onShutdown: (() => void) | null = null;
  #stopping = false;

  constructor(dependencies: RunnerDependencies, options: AttemptsOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    const emit = (event: Extract<FromRunner, { kind: 'event' }>['event']) =>
      dependencies.send({ kind: 'event', event });
    this.#attempts = new Attempts({ ...dependencies, emit }, options);
  }

  get live(): number {
    return this.#attempts.live;
  }

  /** Nothing runs, and no end waits to be forgotten. */
  get isIdle(): boolean {
    return this.#attempts.held.length === 0;
  }

  /** Resolves when the node asks the process to end. */
  shutdownRequested(): Promise<void> {
    return new Promise((resolve) => {
      this.#onShutdown = resolve;
    });
  }

  receive(message: ToRunner): void {
    switch (message.kind) {
      case 'hello':
        return this.#welcome();
      case 'start':
        return this.#start(message.assignment);
      case 'stop':
        return this.#ifValid(message.key, () => this.#attempts.stop(message.key, stopCause(message.why)));
      case 'forget':
        return this.#ifValid(message.key, () => this.#attempts.forget(message.key));
      case 'renew':
        return this.#dependencies.lease.renew(message.ms);
      case 'shutdown':
        return this.#onShutdown?.();
      default:
        unreachable(message);
    }
  }

  /** Called a few times a second. */
  tick(): void {
    if (this.#dependencies.lease.isOver() && this.#attempts.live > 0) {
      const reason = 'its runner heard nothing of the cluster for as long as its lease lasts';
      this.#attempts.stopAll({ outcome: 'lost', reason }, LEASE_GRACE_MS);
    }
    this.#attempts.tend();
    this.#dependencies.retention.removeOld(Date.now());
  }

  /** Ends every job, as lost, and takes no other. */
  stopAll(reason: string): void {
    this.#stopping = true;
    this.#attempts.stopAll({ outcome: 'lost', reason }, this.#options.graceMs);
  }

  #welcome(): void {
    const { incarnation } = this.#options;
    this.#dependencies.send({ kind: 'welcome', incarnation, pid: process.pid, held: this.#attempts.held });
    this.#attempts.replay();
  }

  #start(assignment: Assignment): void {
    if (this.#stopping) return;
    this.#ifValid(assignment, () => {
      if (assignment.incarnation !== undefined && assignment.incarnation !== this.#options.incarnation) {
        this.#dependencies.logger.warn(
          { job: assignment.job, attempt: assignment.attempt },
          'an assignment was meant for an earlier runner process; it is not run',
        );
        return;
      }
      this.#attempts.start(assignment);
    });
  }

  /** Keys name folders. */
  #ifValid(key: AttemptKey, then: () => void): void {
    if (isAttemptKey(key)) then();
    else this.#dependencies.logger.error({ job: key.job, attempt: key.attempt }, 'a message names no valid attempt');
  }
}

function stopCause(why: 'cancelled' | 'lost'): {
  readonly outcome: 'cancelled' | 'lost';
  readonly reason: string | null;
} {
  return { outcome: why, reason: why === 'lost' ? 'its runner was told that it does not count any more' : null };
}
