import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import type { Launcher, LaunchRequest } from './launcher.ts';
import { signalGroup } from './process-group.ts';

const { O_APPEND, O_CREAT, O_RDONLY, O_WRONLY } = constants;

/** By child_process: works everywhere Node does, but is slower and cannot tell what a process used. */
export function createNodeLauncher(): Launcher {
  return {
    name: 'node',
    launch(request, listener) {
      let child;
      try {
        child = withStreams(request, (stdio) =>
          spawn(request.executable, request.argv.slice(1), {
            argv0: request.argv[0],
            cwd: request.cwd,
            env: { ...request.env },
            detached: true,
            stdio,
          }),
        );
      } catch (error) {
        listener.failed(errorCode(error));
        return null;
      }
      const pid = child.pid;
      if (pid === undefined) {
        child.once('error', (error) => listener.failed(errorCode(error)));
        return null;
      }
      child.on('error', () => {});
      child.once('exit', (exitCode, signal) => {
        signalGroup(pid, 'SIGKILL');
        listener.exited({ exitCode, signal, usage: null });
      });
      return pid;
    },
    leftBehind: () => 'maybe',
    close() {},
  };
}

function withStreams<Result>(request: LaunchRequest, use: (stdio: number[]) => Result): Result {
  const open: number[] = [];
  try {
    open.push(openSync(request.stdin, O_RDONLY));
    open.push(openSync(request.stdout, O_WRONLY | O_CREAT | O_APPEND, 0o600));
    open.push(openSync(request.stderr, O_WRONLY | O_CREAT | O_APPEND, 0o600));
    return use(open);
  } finally {
    open.forEach((fd) => closeSync(fd));
  }
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'EIO';
}
