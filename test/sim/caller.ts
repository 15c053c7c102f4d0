import type { Replica } from '../../node/replica/replica.ts';
import type { Chance } from './chance.ts';
import type { EventLoop } from './event-loop.ts';
import type { Machine } from './machine.ts';

export type Outcome<Value> =
  | { readonly kind: 'answered'; readonly value: Value }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** The node died, or did not answer while the caller waited. */
  | { readonly kind: 'silent' };

const WAY_MS = [0.05, 2] as const;
const PATIENCE_MS = [300, 4_000] as const;

/** Asks something of the node on a machine, from outside of the cluster. Never rejects. */
export function call<Value>(
  parts: { readonly loop: EventLoop; readonly chance: Chance },
  machine: Machine,
  question: (replica: Replica) => Promise<Value>,
): Promise<Outcome<Value>> {
  const { loop, chance } = parts;
  const { running } = machine;
  const way = (): number => chance.between(...WAY_MS);
  return new Promise((resolve) => {
    loop.in(chance.between(...PATIENCE_MS), null, () => resolve({ kind: 'silent' }));
    if (running === null) return;
    const answer = (outcome: Outcome<Value>): void => {
      if (running.process.life !== 'dead') loop.in(way(), null, () => resolve(outcome));
    };
    loop.in(way(), running.process, () => {
      const { replica } = running;
      if (replica === null) return;
      void question(replica).then(
        (value) => answer({ kind: 'answered', value }),
        (error: unknown) => answer({ kind: 'failed', error }),
      );
    });
  });
}
