import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { encodeNodeKey } from '../../../node/p2p/identity.ts';
import type { createNodeKey } from '../../../node/p2p/identity.ts';
import type { NodeId } from '../../../src/ids.ts';

const SCRIPT = fileURLToPath(new URL('./fixtures/peer-process.ts', import.meta.url));

/** A member that can be frozen and killed. */
export class PeerProcess {
  readonly addresses: readonly string[];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, addresses: readonly string[]) {
    this.#child = child;
    this.addresses = addresses;
  }

  static async start(
    key: Awaited<ReturnType<typeof createNodeKey>>,
    clusterKey: Uint8Array,
    members: ReadonlyMap<NodeId, readonly string[]>,
  ): Promise<PeerProcess> {
    const plan = {
      key: Buffer.from(encodeNodeKey(key)).toString('base64'),
      clusterKey: Buffer.from(clusterKey).toString('base64'),
      members: [...members],
    };
    const child = spawn(process.execPath, [SCRIPT, JSON.stringify(plan)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    return new PeerProcess(child, JSON.parse(line) as string[]);
  }

  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  /** Asks it to close and waits until the process has ended by itself. @returns its exit code */
  async stop(): Promise<number | null> {
    this.thaw();
    this.#child.stdin?.end();
    return await this.#ended();
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended();
  }

  async #ended(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }
}
