/** What the program ends with; `run` passes its job's own code on. */
export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3, refused: 4 } as const;

/** What shells tell of a process that a signal ended. */
export const SIGNAL_EXIT_BASE = 128;
