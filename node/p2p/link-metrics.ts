import { Counter, Gauge, type Registry } from 'prom-client';
import type { NetworkStats } from './network.ts';

/** Who is connected, and how often that changed. */
export class LinkMetrics {
  readonly #changes: Counter<'state'> | null;

  constructor(registry: Registry | undefined, stats: () => NetworkStats) {
    this.#changes = null;
    if (registry === undefined) return;
    const registers = [registry];
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    gauge('quorate_p2p_members', 'Other members that this node keeps a connection to.', () => stats().members);
    gauge('quorate_p2p_connected_members', 'Other members that answer.', () => stats().connected);
    this.#changes = new Counter({
      name: 'quorate_p2p_connectivity_changes_total',
      help: 'Members that came up or went down; more ups than members are reconnects.',
      labelNames: ['state'],
      registers,
    });
  }

  changed(state: 'up' | 'down'): void {
    this.#changes?.inc({ state });
  }
}
