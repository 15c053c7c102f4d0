import { existsSync, globSync } from 'node:fs';
import { run } from './commands.ts';
import type { Host } from './lab.ts';
import { addNamespace, removeNamespace } from './namespaces.ts';
import { ownName } from './owner.ts';

/** Why the hosts of a lab cannot be made on this machine; null when they can. */
export function lacksNamespaces(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  return tryInNamespace('network namespaces', (name) => {
    run('ip', '-n', name, 'link', 'add', 'probe', 'type', 'veth', 'peer', 'name', 'eborp');
    run('ip', '-n', name, 'link', 'add', 'hub', 'type', 'bridge');
    run('ip', 'netns', 'exec', name, 'true');
  });
}

/** Whether the kernel can treat a host's link so. */
export function lacksLink(what: string, treat: (host: Pick<Host, 'namespace'>) => void): () => string | null {
  return () =>
    tryInNamespace(what, (namespace) => {
      run('ip', '-n', namespace, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'peer');
      treat({ namespace });
    });
}

/** A clock that a test can set; from Debian's package libfaketime. */
export const FAKE_CLOCK_LIBRARY =
  globSync('/usr/lib/*/faketime/libfaketime.so.1').find((path) => existsSync(path)) ?? null;

export function lacksFakeClock(): string | null {
  return FAKE_CLOCK_LIBRARY === null ? "Debian's package libfaketime is not installed" : null;
}

function tryInNamespace(what: string, probe: (name: string) => void): string | null {
  const name = `${ownName()}-probe`;
  try {
    addNamespace(name);
    probe(name);
    return null;
  } catch (error) {
    return `no ${what}: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    removeNamespace(name);
  }
}
