import { kill } from '../processes.ts';
import { run, tryToRun } from './commands.ts';

export function listNamespaces(): readonly string[] {
  return tryToRun('ip', 'netns', 'list')
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name !== '');
}

export function addNamespace(name: string): void {
  run('ip', 'netns', 'add', name);
  run('ip', '-n', name, 'link', 'set', 'lo', 'up');
}

/** With everything that runs in it. */
export function removeNamespace(name: string): void {
  for (const line of tryToRun('ip', 'netns', 'pids', name).split('\n')) {
    if (line !== '') kill(Number(line));
  }
  tryToRun('ip', 'netns', 'delete', name);
}

/** A bridge, alone in a namespace: the cable between the others. */
export function addHub(name: string): void {
  addNamespace(name);
  run('ip', '-n', name, 'link', 'add', 'hub', 'type', 'bridge');
  run('ip', '-n', name, 'link', 'set', 'hub', 'up');
}

/** Gives a namespace an `eth0` with this address, at the other end of a cable to the hub. */
export function plugIn(name: string, { hub, port, address }: { hub: string; port: string; address: string }): void {
  run('ip', 'link', 'add', port, 'netns', hub, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  run('ip', '-n', hub, 'link', 'set', port, 'master', 'hub', 'up');
  run('ip', '-n', name, 'address', 'add', `${address}/24`, 'dev', 'eth0');
  run('ip', '-n', name, 'link', 'set', 'eth0', 'up');
}
