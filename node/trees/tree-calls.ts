import { unreachable } from '../../src/errors.ts';
import type { JobTrees, TreeCall, TreeResults } from './port.ts';

/** Answers what is asked of the files of jobs from another thread. */
export class TreeCalls {
  readonly #trees: JobTrees;
  readonly #running = new Map<number, AbortController>();

  constructor(trees: JobTrees) {
    this.#trees = trees;
  }

  /** @param id of the call, by which it may be abandoned. @throws as `JobTrees` */
  async carryOut(id: number, call: TreeCall): Promise<TreeResults[TreeCall['method']]> {
    switch (call.method) {
      case 'materialise': {
        const abandoned = new AbortController();
        this.#running.set(id, abandoned);
        try {
          await this.#trees.materialise(call.parts, call.folder, abandoned.signal);
          return null;
        } finally {
          this.#running.delete(id);
        }
      }
      case 'abandon':
        this.#running.get(call.call)?.abort();
        return null;
      case 'keep':
        return this.#trees.keep(call.places);
      default:
        return unreachable(call);
    }
  }
}
