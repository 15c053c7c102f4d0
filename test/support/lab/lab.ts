import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { NodeSite } from '../cluster.ts';
import type { NodePlace } from '../node-process.ts';
import { makeTempFolder, type TempFolder } from '../temp-folder.ts';
import { removeLeftovers } from './leftovers.ts';
import { addHub, addNamespace, plugIn, removeNamespace } from './namespaces.ts';
import { ownName } from './owner.ts';

export interface Host {
  readonly name: string;
  readonly namespace: string;
  /** For the other hosts; HTTP is on the loopback, so that clients reach their node through every partition. */
  readonly address: string;
}

export interface LabOptions {
  /** For the nodes' processes. */
  readonly env?: (name: string) => Readonly<Record<string, string>>;
}

const HTTP_PORT = 8750;
const P2P_PORT = 8751;
const RELAY = join(import.meta.dirname, 'http-relay.ts');

let made = 0;

/** Hosts of this machine: each a network namespace with a cable to a common hub. Nothing of it leaves the machine. */
export class Lab implements NodeSite {
  readonly #hosts = new Map<string, Host>();
  readonly #relays: ChildProcess[] = [];
  readonly #options: LabOptions;
  readonly #temp: TempFolder;
  readonly #prefix: string;
  readonly #hub: string;
  readonly #onExit = () => this.#takeDown();

  static async open(options: LabOptions = {}): Promise<Lab> {
    removeLeftovers();
    return new Lab(await makeTempFolder('lab'), options);
  }

  private constructor(temp: TempFolder, options: LabOptions) {
    made += 1;
    this.#temp = temp;
    this.#options = options;
    this.#prefix = `${ownName()}-${made}`;
    this.#hub = `${this.#prefix}-hub`;
    process.once('exit', this.#onExit);
    addHub(this.#hub);
  }

  get hosts(): readonly Host[] {
    return [...this.#hosts.values()];
  }

  host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  place(name: string): NodePlace {
    const { namespace } = this.#addHost(name);
    const socketPath = join(this.#temp.path, `${name}.sock`);
    const inside = ['ip', 'netns', 'exec', namespace] as const;
    const relay = spawn('ip', [...inside.slice(1), process.execPath, RELAY, socketPath, String(HTTP_PORT)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#relays.push(relay);
    return { prefix: inside, env: this.#options.env?.(name) ?? {}, socketPath };
  }

  listen(name: string): readonly string[] {
    return ['--http', `127.0.0.1:${HTTP_PORT}`, '--p2p', `${this.host(name).address}:${P2P_PORT}`];
  }

  /** After the nodes have ended. */
  async close(): Promise<void> {
    process.off('exit', this.#onExit);
    this.#takeDown();
    await this.#temp.remove();
  }

  #addHost(name: string): Host {
    const namespace = `${this.#prefix}-${name}`;
    const address = `10.77.0.${this.#hosts.size + 1}`;
    const host: Host = { name, namespace, address };
    this.#hosts.set(name, host);
    addNamespace(namespace);
    plugIn(namespace, { hub: this.#hub, port: name, address });
    return host;
  }

  #takeDown(): void {
    for (const relay of this.#relays) relay.kill('SIGKILL');
    for (const { namespace } of this.#hosts.values()) removeNamespace(namespace);
    removeNamespace(this.#hub);
  }
}
