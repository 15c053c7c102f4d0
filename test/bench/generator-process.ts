import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LoadOrder, LoadResult } from './load.ts';

/** A load generator in a process of its own, so that its work and the cluster's are scheduled apart. */
export class GeneratorProcess {
  readonly #child: ChildProcess = fork(join(import.meta.dirname, 'generator.ts'));

  async run(order: LoadOrder): Promise<LoadResult> {
    this.#child.send(order);
    const [answer] = (await once(this.#child, 'message')) as [
      { readonly result: LoadResult } | { readonly error: string },
    ];
    if ('error' in answer) throw new Error(answer.error);
    return answer.result;
  }

  close(): void {
    this.#child.kill();
  }
}
