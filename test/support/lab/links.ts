import { run, tryToRun } from './commands.ts';
import type { Host } from './lab.ts';

/** Nobody's. What goes there, the hub sends to everybody, and nobody takes it. */
const NOWHERE = '02:00:00:00:00:99';

/** What `from` sends to `to` is lost without a word; the other direction still works. */
export function cutOneWay(from: Host, to: Host): void {
  const at = ['neighbour', 'replace', to.address, 'lladdr', NOWHERE, 'nud', 'permanent', 'dev', 'eth0'] as const;
  run('ip', '-n', from.namespace, ...at);
}

/** Nothing passes between hosts of different groups; a host may be in several. */
export function partition(hosts: readonly Host[], groups: readonly (readonly Host[])[]): void {
  for (const from of hosts) {
    for (const to of hosts) {
      const together = from === to || groups.some((group) => group.includes(from) && group.includes(to));
      if (!together) cutOneWay(from, to);
    }
  }
}

/** Everything that the host sends is late by 60 ± 30 ms and so out of order, and 2 % never comes; by the kernel's netem. */
export function delay({ namespace }: Pick<Host, 'namespace'>): void {
  const netem = ['netem', 'delay', '60ms', '30ms', 'loss', '2%'] as const;
  run('tc', '-n', namespace, 'qdisc', 'add', 'dev', 'eth0', 'root', ...netem);
}

/** What the host sends goes through 256 kbit/s, after up to 400 ms in a queue; what does not fit there is lost. */
export function narrow({ namespace }: Pick<Host, 'namespace'>): void {
  const bucket = ['tbf', 'rate', '256kbit', 'burst', '16kb', 'latency', '400ms'] as const;
  run('tc', '-n', namespace, 'qdisc', 'add', 'dev', 'eth0', 'root', ...bucket);
}

/**
 * Of what the host sends, every twentieth packet never comes. In classic BPF: load a random number (ancillary data at
 * 0xfffff038), drop (2) those below a twentieth of 2³², and leave the others to themselves (-1).
 */
export function lose({ namespace }: Pick<Host, 'namespace'>): void {
  const program = '4,32 0 0 4294963256,37 1 0 214748364,6 0 0 2,6 0 0 4294967295';
  run('tc', '-n', namespace, 'qdisc', 'add', 'dev', 'eth0', 'clsact');
  run('tc', '-n', namespace, 'filter', 'add', 'dev', 'eth0', 'egress', 'bpf', 'da', 'bytecode', program);
}

/** Every link as it was. */
export function heal(hosts: readonly Host[]): void {
  for (const from of hosts) {
    for (const to of hosts) {
      if (from !== to) tryToRun('ip', '-n', from.namespace, 'neighbour', 'delete', to.address, 'dev', 'eth0');
    }
    tryToRun('tc', '-n', from.namespace, 'qdisc', 'delete', 'dev', 'eth0', 'root');
    tryToRun('tc', '-n', from.namespace, 'qdisc', 'delete', 'dev', 'eth0', 'clsact');
  }
}
