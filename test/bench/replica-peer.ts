import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createClusterKey } from '../../node/p2p/cluster-key.ts';
import { createNodeKey, encodeNodeKey } from '../../node/p2p/identity.ts';
import type { NodeId } from '../../src/ids.ts';
import { makeTempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';
import type { ProposingOrder, ProposingResult } from './proposing.ts';
import type { BenchRun } from './table.ts';

/** Plain data, since it crosses a process boundary. */
export interface ReplicaPlan {
  /** Both base64. */
  readonly key: string;
  readonly clusterKey: string;
  readonly folder: string;
}

export type ReplicaOrder =
  | { readonly kind: 'open'; readonly members: readonly (readonly [NodeId, readonly string[]])[] }
  | { readonly kind: 'leader' }
  | ({ readonly kind: 'propose' } & ProposingOrder);

export type ReplicaAnswer =
  | { readonly kind: 'up'; readonly self: NodeId; readonly addresses: readonly string[] }
  | { readonly kind: 'done' }
  | { readonly kind: 'leader'; readonly leader: NodeId | null }
  | ({
      readonly kind: 'load';
      /** The longest of the process's event loop. */ readonly delayMs: number;
    } & ProposingResult)
  | { readonly kind: 'failed'; readonly error: string };

type AnswerOf<Kind extends ReplicaAnswer['kind']> = Extract<ReplicaAnswer, { kind: Kind }>;

/** The parent's side of one replica process. */
export class ReplicaPeer {
  readonly self: NodeId;
  readonly addresses: readonly string[];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, { self, addresses }: AnswerOf<'up'>) {
    this.#child = child;
    this.self = self;
    this.addresses = addresses;
  }

  static async start(plan: ReplicaPlan): Promise<ReplicaPeer> {
    const child = fork(join(import.meta.dirname, 'replica-process.ts'), [JSON.stringify(plan)]);
    return new ReplicaPeer(child, await answerOf(child, 'up'));
  }

  async open(members: readonly ReplicaPeer[]): Promise<void> {
    this.#child.send({ kind: 'open', members: members.map(({ self, addresses }) => [self, addresses] as const) });
    await answerOf(this.#child, 'done');
  }

  async leader(): Promise<NodeId | null> {
    this.#child.send({ kind: 'leader' });
    return (await answerOf(this.#child, 'leader')).leader;
  }

  async propose(order: ProposingOrder): Promise<AnswerOf<'load'>> {
    this.#child.send({ kind: 'propose', ...order });
    return answerOf(this.#child, 'load');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

async function answerOf<Kind extends ReplicaAnswer['kind']>(child: ChildProcess, kind: Kind): Promise<AnswerOf<Kind>> {
  const ended = new AbortController();
  const onExit = (code: number | null): void => ended.abort(new Error(`a replica's process ended with ${code}`));
  child.once('exit', onExit);
  try {
    const [answer] = (await once(child, 'message', { signal: ended.signal })) as [ReplicaAnswer];
    if (answer.kind === kind) return answer as AnswerOf<Kind>;
    throw new Error(answer.kind === 'failed' ? answer.error : `a replica answered ${answer.kind} and not ${kind}`);
  } finally {
    child.off('exit', onExit);
  }
}

export interface ReplicaCluster {
  readonly leader: ReplicaPeer;
  readonly followers: readonly ReplicaPeer[];
  end(): void;
}

/** Replicas in processes of their own that know a leader, with their data in one folder of this run. */
export async function startReplicas(run: BenchRun, size: number): Promise<ReplicaCluster> {
  const folder = await makeTempFolder('replicas');
  run.removeAtTheEnd(folder);
  const clusterKey = Buffer.from(createClusterKey()).toString('base64');
  const peers: ReplicaPeer[] = [];
  const end = (): void => peers.forEach((peer) => peer.kill());
  process.once('exit', end);
  try {
    for (let count = 1; count <= size; count += 1) {
      const key = Buffer.from(encodeNodeKey(await createNodeKey())).toString('base64');
      peers.push(await ReplicaPeer.start({ key, clusterKey, folder: join(folder.path, `${count}`) }));
    }
    for (const peer of peers) await peer.open(peers);
    const leader = await waitUntil('a leader that all know', async () => {
      const [first, ...others] = await Promise.all(peers.map((peer) => peer.leader()));
      return others.every((other) => other === first) ? (peers.find(({ self }) => self === first) ?? null) : null;
    });
    return { leader, followers: peers.filter((peer) => peer !== leader), end };
  } catch (error) {
    end();
    throw error;
  }
}
