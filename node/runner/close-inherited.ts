import { closeSync, readdirSync, readFileSync } from 'node:fs';

const O_CLOEXEC = 0o2000000;

/**
 * Closes what this process was given without asking, so that no job gets it either. All that Node itself opens is
 * marked close-on-exec; what is not came from outside. macOS needs no such thing: there libuv passes nothing on.
 */
export function closeInheritedDescriptors(): number {
  if (process.platform !== 'linux') return 0;
  const inherited = readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2 && !isCloseOnExec(fd));
  for (const fd of inherited) closeSync(fd);
  return inherited.length;
}

function isCloseOnExec(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
    return flags === undefined || (Number.parseInt(flags, 8) & O_CLOEXEC) !== 0;
  } catch {
    return true;
  }
}
