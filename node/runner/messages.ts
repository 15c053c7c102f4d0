import type { Incarnation } from '../../src/ids.ts';
import type { Assignment, AttemptKey, RunnerEvent } from './ports.ts';

/** Raised with every change that the other side could misread; it travels in each frame. */
export const PROTOCOL_VERSION = 1;

export type ToRunner =
  | { readonly kind: 'hello' }
  | { readonly kind: 'start'; readonly assignment: Assignment }
  | { readonly kind: 'stop'; readonly key: AttemptKey; readonly why: 'cancelled' | 'lost' }
  | { readonly kind: 'forget'; readonly key: AttemptKey }
  | { readonly kind: 'renew'; readonly ms: number | null }
  /** Stop every job, then end. */
  | { readonly kind: 'shutdown' };

export type AttemptEvent = Extract<RunnerEvent, { kind: 'started' | 'ended' }>;

export type FromRunner =
  | {
      readonly kind: 'welcome';
      readonly incarnation: Incarnation;
      readonly pid: number;
      readonly held: readonly AttemptKey[];
    }
  | { readonly kind: 'event'; readonly event: AttemptEvent }
  /** Another node process has connected; this connection is over. */
  | { readonly kind: 'replaced' }
  /** The frame that came was of another version. */
  | { readonly kind: 'refused'; readonly reason: string };
