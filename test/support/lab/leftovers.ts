import { listNamespaces, removeNamespace } from './namespaces.ts';
import { listDisks, removeDisk } from './disks.ts';
import { isLeftover } from './owner.ts';

/** What runs that were killed could not take down themselves. */
export function removeLeftovers(): void {
  for (const name of listNamespaces()) if (isLeftover(name)) removeNamespace(name);
  for (const disk of listDisks()) if (isLeftover(disk.owner)) removeDisk(disk.path);
}
