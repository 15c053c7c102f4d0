import type { AttemptEnd } from '../../src/jobs/job.ts';

/** A command may be as long as a whole spec; each end that tells it is an entry of the log. */
const TOLD_CHARACTERS = 200;
/** Exit codes that shells give. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

export function commandNotFound(command: string): AttemptEnd {
  return failed(NOT_FOUND, `command not found: ${shortened(command)}`);
}

export function notExecutable(command: string): AttemptEnd {
  return failed(NOT_EXECUTABLE, `not executable: ${shortened(command)}`);
}

/** For a command that was found: what the system's error says about it, or about this machine. */
export function launchFailed(code: string, command: string): AttemptEnd {
  switch (code) {
    case 'ENOENT':
      return failed(NOT_FOUND, `the interpreter of ${shortened(command)} was not found`);
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
      return commandNotFound(command);
    case 'EACCES':
    case 'EPERM':
    case 'EISDIR':
    case 'ENOEXEC':
    case 'ELIBBAD':
    case 'ETXTBSY':
      return notExecutable(command);
    case 'E2BIG':
      return failed(NOT_EXECUTABLE, 'the arguments and the environment are too long for this machine');
    default:
      return machineFailed('this machine could not start it', { code });
  }
}

/** The machine's fault, so that another one may try: no processes, memory, descriptors or disk space left. */
export function machineFailed(what: string, cause?: unknown): AttemptEnd {
  const reason = cause === undefined ? what : `${what}: ${systemCode(cause)}`;
  return { outcome: 'lost', exitCode: null, signal: null, reason, usage: null };
}

export function failed(exitCode: number | null, reason: string): AttemptEnd {
  return { outcome: 'failed', exitCode, signal: null, reason, usage: null };
}

export function systemCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

function shortened(command: string): string {
  return command.length <= TOLD_CHARACTERS ? command : `${command.slice(0, TOLD_CHARACTERS).toWellFormed()}…`;
}
