import { setTimeout as sleep } from 'node:timers/promises';
import { it } from 'vitest';
import { seeded } from '../../raft/support/seeded.ts';
import type { TestCluster } from '../../support/cluster.ts';
import type { Lab } from '../../support/lab/lab.ts';
import { cutOneWay, heal, partition } from '../../support/lab/links.ts';
import { describeFaults, useFaultCluster } from '../../support/lab/use-fault-cluster.ts';
import type { NodeProcess } from '../../support/node-process.ts';

const TURNS = 7;
const TURN_MS = 1_500;

/** `FAULT_SEED` makes the same faults again; what becomes of them also depends on the machine. */
const SEED = Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

describeFaults('three nodes under faults that overlap', () => {
  const faults = useFaultCluster({ size: 3 });

  for (const seed of [1, SEED]) {
    it(`hold what they acknowledged (FAULT_SEED=${seed})`, async () => {
      const { cluster, lab } = faults();
      await faults().run(`mixed faults, FAULT_SEED=${seed}`, async () => {
        const trouble = new Trouble(cluster, lab, seeded(seed));
        try {
          for (let turn = 0; turn < TURNS; turn += 1) {
            await trouble.next();
            await sleep(TURN_MS);
          }
        } finally {
          await trouble.end();
        }
      });
    });
  }
});

type Ill = 'killed' | 'paused';

/** One more fault at a time, or one less: at most one node is down while links break and heal around it. */
class Trouble {
  readonly #cluster: TestCluster;
  readonly #lab: Lab;
  readonly #random: () => number;
  #down: { readonly node: NodeProcess; readonly ill: Ill } | null = null;

  constructor(cluster: TestCluster, lab: Lab, random: () => number) {
    this.#cluster = cluster;
    this.#lab = lab;
    this.#random = random;
  }

  async next(): Promise<void> {
    const hosts = this.#lab.hosts;
    const node = this.#cluster.node(this.#draw(hosts.length));
    const host = this.#lab.host(node.name);
    const others = hosts.filter((other) => other !== host);
    switch (this.#draw(6)) {
      case 0:
        return this.#takeDown(node, 'killed');
      case 1:
        return this.#takeDown(node, 'paused');
      case 2:
        return this.#bringBack();
      case 3:
        heal(hosts);
        return partition(hosts, [others]);
      case 4:
        return cutOneWay(host, others[this.#draw(others.length)] ?? host);
      default:
        return heal(hosts);
    }
  }

  async end(): Promise<void> {
    await this.#bringBack();
    heal(this.#lab.hosts);
  }

  async #takeDown(node: NodeProcess, ill: Ill): Promise<void> {
    await this.#bringBack();
    this.#down = { node, ill };
    if (ill === 'killed') await node.killNode();
    else node.pause();
  }

  /** Not waiting until it is ready: it may be cut off. */
  async #bringBack(): Promise<void> {
    if (this.#down === null) return;
    const { node, ill } = this.#down;
    this.#down = null;
    if (ill === 'killed') await node.launch('up', []);
    else node.resume();
  }

  #draw(count: number): number {
    return Math.floor(this.#random() * count);
  }
}
