import { join } from 'node:path';
import { expectStatus } from './node-api.ts';
import { NodeProcess, type NodePlace } from './node-process.ts';
import { makeTempFolder, type TempFolder } from './temp-folder.ts';
import { waitUntil } from './wait-until.ts';

export interface ClusterOptions {
  readonly size: number;
  /** For every node, at the first start only. */
  readonly flags?: readonly string[];
  /** Where each runs and listens; this machine's loopback unless told. */
  readonly site?: NodeSite;
}

export interface NodeSite {
  /** @param folder of the node, not made yet */
  place(name: string, folder: string): NodePlace;
  /** At the first start. */
  listen(name: string): readonly string[];
}

const ANY_PORT = ['--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--grpc', '127.0.0.1:0'];

/** Real nodes on this machine, joined with the token that the first one printed. */
export class TestCluster {
  readonly nodes: NodeProcess[] = [];
  readonly folder: string;
  readonly #temp: TempFolder;
  readonly #flags: readonly string[];
  readonly #site: NodeSite | null;
  #added = 0;
  readonly #onExit = () => this.#destroyAll();

  static async start(options: ClusterOptions): Promise<TestCluster> {
    const cluster = new TestCluster(await makeTempFolder('cluster'), options);
    try {
      await cluster.bootstrap();
      if (options.size > 3) await cluster.wantVoters(options.size);
      while (cluster.nodes.length < options.size) await cluster.join();
      if (options.size > 1) await cluster.settled();
    } catch (error) {
      const tails = cluster.logTails();
      await cluster.close();
      throw new Error(`the cluster did not start\n${tails}`, { cause: error });
    }
    return cluster;
  }

  private constructor(temp: TempFolder, { flags = [], site }: ClusterOptions) {
    this.#temp = temp;
    this.folder = temp.path;
    this.#flags = flags;
    this.#site = site ?? null;
    process.once('exit', this.#onExit);
  }

  /** A node that is not started yet. */
  add(): NodeProcess {
    this.#added += 1;
    const name = `node-${this.#added}`;
    const folder = join(this.folder, name);
    const node = new NodeProcess({ name, folder, ...(this.#site && { place: this.#site.place(name, folder) }) });
    this.nodes.push(node);
    return node;
  }

  async bootstrap(): Promise<NodeProcess> {
    const node = this.add();
    await node.start('up', ['--bootstrap', ...this.#flagsOf(node)]);
    node.token = await node.readSecret('admin.token');
    await node.ready();
    return node;
  }

  async join(token?: string): Promise<NodeProcess> {
    const joinToken = token ?? (await this.node(0).readSecret('join.token'));
    const node = this.add();
    await node.start('up', ['--join', joinToken, ...this.#flagsOf(node)]);
    node.token = await this.adminToken();
    await node.ready();
    return node;
  }

  /** How many the leader lets vote; three unless told. */
  async wantVoters(count: number): Promise<void> {
    const settings = JSON.stringify({ voters: count });
    expectStatus(await this.node(0).api.http.send('PUT', '/v1/cluster/settings', { body: settings }), 200);
  }

  /** With nothing but its data folder, as a user would start it again. */
  async restart(node: NodeProcess): Promise<void> {
    await node.start('up', []);
  }

  node(position: number): NodeProcess {
    const node = this.nodes[position];
    if (node === undefined) throw new Error(`no node ${position}`);
    return node;
  }

  adminToken(): Promise<string> {
    return this.node(0).readSecret('admin.token');
  }

  /** The node that a majority of the running ones takes for the leader. */
  async leader(): Promise<NodeProcess> {
    const id = await waitUntil('a leader that a majority knows', async () => {
      const views = await Promise.allSettled(this.#running().map((node) => node.api.cluster()));
      const votes = views.flatMap((view) => (view.status === 'fulfilled' ? [view.value.leader] : []));
      const majority = Math.floor(this.nodes.length / 2) + 1;
      const agreed = votes.find((vote) => vote !== null && votes.filter((other) => other === vote).length >= majority);
      return agreed ?? null;
    });
    for (const node of this.#running()) {
      if ((await node.file())?.nodeId === id) return node;
    }
    throw new Error(`the leader ${id} is none of the running nodes`);
  }

  async transferTo(node: NodeProcess): Promise<void> {
    const { nodeId } = await node.requireFile();
    await waitUntil(`${node.name} to lead`, async () => {
      const leader = await this.leader();
      if (leader === node) return true;
      await leader.api.http.post('/v1/cluster/transfer', { to: nodeId });
      return null;
    });
  }

  async followers(): Promise<readonly NodeProcess[]> {
    const leader = await this.leader();
    return this.#running().filter((node) => node !== leader);
  }

  /** Every node votes, and every runner is ready, as seen by every node. */
  async settled(): Promise<void> {
    await waitUntil('all nodes to be voters with a ready runner', async () => {
      for (const node of this.#running()) {
        const { members } = await node.api.cluster();
        if (members.filter((member) => member.role === 'voter').length !== this.nodes.length) return null;
        const runners = await node.api.runners();
        if (runners.filter((runner) => runner.state === 'ready').length !== this.nodes.length) return null;
      }
      return true;
    });
  }

  logTails(): string {
    return this.nodes.map((node) => node.logTail()).join('\n');
  }

  async close(): Promise<void> {
    this.end();
    await this.removeFolder();
  }

  /** Ends all processes and leaves the data where it is. */
  end(): void {
    process.off('exit', this.#onExit);
    this.#destroyAll();
  }

  async removeFolder(): Promise<void> {
    await this.#temp.remove();
  }

  /** Each runner carries a label `host` by which a test can choose it. */
  #flagsOf(node: NodeProcess): readonly string[] {
    const listen = this.#site?.listen(node.name) ?? ANY_PORT;
    return [...listen, '--label', `host=${node.name}`, ...this.#flags];
  }

  #running(): readonly NodeProcess[] {
    return this.nodes.filter((node) => node.running);
  }

  #destroyAll(): void {
    for (const node of this.nodes) node.destroy();
  }
}
