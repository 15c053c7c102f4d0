import type { RoleChange } from '../../raft/effects.ts';
import type { ChangeEvent } from '../../src/state/apply.ts';
import type { ReplicaListener } from './replica.ts';

type Listener<Part extends keyof ReplicaListener> = ReplicaListener[Part];

/** Hands what happens in the replica to the parts of the node, in the order in which they asked for it. */
export class ReplicaEvents implements ReplicaListener {
  readonly #changed: Listener<'changed'>[] = [];
  readonly #configuration: Listener<'configuration'>[] = [];
  readonly #roleChanged: Listener<'roleChanged'>[] = [];
  readonly #restored: Listener<'restored'>[] = [];
  readonly fatal: Listener<'fatal'>;

  constructor(fatal: Listener<'fatal'>) {
    this.fatal = fatal;
  }

  onChanged(listener: Listener<'changed'>): void {
    this.#changed.push(listener);
  }

  onConfiguration(listener: Listener<'configuration'>): void {
    this.#configuration.push(listener);
  }

  onRoleChanged(listener: Listener<'roleChanged'>): void {
    this.#roleChanged.push(listener);
  }

  onRestored(listener: Listener<'restored'>): void {
    this.#restored.push(listener);
  }

  changed(events: readonly ChangeEvent[], index: number): void {
    for (const listener of this.#changed) listener(events, index);
  }

  configuration(configuration: Parameters<Listener<'configuration'>>[0]): void {
    for (const listener of this.#configuration) listener(configuration);
  }

  roleChanged(change: RoleChange): void {
    for (const listener of this.#roleChanged) listener(change);
  }

  restored(): void {
    for (const listener of this.#restored) listener();
  }
}
