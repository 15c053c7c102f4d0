import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeFile } from '../../node/config/config.ts';
import { NodeApi } from './node-api.ts';
import { isAlive, kill, killAllOf } from './processes.ts';
import { GiveUp, waitUntil } from './wait-until.ts';

const ROOT = join(import.meta.dirname, '../..');
export const QUORATE = join(ROOT, 'scripts/quorate');
const LOG_TAIL_LINES = 60;

export interface NodeProcessOptions {
  readonly name: string;
  /** Holds this node's data and its log; the caller removes it. */
  readonly folder: string;
  readonly place?: NodePlace;
}

/** Where and how a node runs, when not plainly on this machine. */
export interface NodePlace {
  /** Before the command, as `ip netns exec NAME`. */
  readonly prefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Leads to the node's HTTP. */
  readonly socketPath: string | null;
}

const HERE: NodePlace = { prefix: [], env: {}, socketPath: null };

/** The environment of the tests' own programs: none of the user's settings reach them. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, ...extra, NO_COLOR: '1' };
  for (const name of Object.keys(env)) {
    if (name.startsWith('QUORATE_') && !(name in extra)) delete env[name];
    if (name.startsWith('VITEST') || name === 'NODE_OPTIONS') delete env[name];
  }
  return env;
}

/** One node of a test: started through the command line as a user would, found through its `node.json`. */
export class NodeProcess {
  readonly name: string;
  readonly dataDir: string;
  readonly logPath: string;
  readonly #folder: string;
  readonly #place: NodePlace;
  #child: ChildProcess | null = null;
  #api: NodeApi | null = null;
  #token: string | null = null;
  #exit: { readonly code: number | null; readonly signal: string | null } | null = null;

  constructor({ name, folder, place = HERE }: NodeProcessOptions) {
    this.name = name;
    this.#folder = folder;
    this.#place = place;
    this.dataDir = join(folder, 'data');
    this.logPath = join(folder, 'node.log');
  }

  /** Starts `quorate <command> --data … <flags>`; returns before it is ready. */
  async launch(command: 'up' | 'dev', flags: readonly string[]): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    const log = openSync(this.logPath, 'a');
    try {
      this.#exit = null;
      const [program = QUORATE, ...args] = [...this.#place.prefix, QUORATE, command, '--data', this.dataDir, ...flags];
      this.#child = spawn(program, args, {
        cwd: this.#folder,
        stdio: ['ignore', log, log],
        env: cleanEnvironment(this.#place.env),
      });
    } finally {
      closeSync(log);
    }
    const child = this.#child;
    child.once('exit', (code, signal) => {
      if (this.#child === child) this.#exit = { code, signal };
    });
    child.once('error', () => {
      if (this.#child === child) this.#exit = { code: 127, signal: null };
    });
  }

  /** Waits for `/readyz`; fails with the log's tail when the process ends first. */
  async ready(timeoutMs = 90_000): Promise<void> {
    try {
      await waitUntil(
        `${this.name} to be ready`,
        async () => {
          this.#failIfEnded();
          const file = await this.file();
          if (file === null || !isAlive(file.pids.node)) return null;
          return (await this.#connect(file).readiness()).status === 200 ? true : null;
        },
        { timeoutMs },
      );
    } catch (error) {
      throw new Error(`${this.name} did not become ready\n${this.logTail()}`, { cause: error });
    }
  }

  async start(command: 'up' | 'dev', flags: readonly string[]): Promise<void> {
    await this.launch(command, flags);
    await this.ready();
  }

  /** How the process ended; waits for it. */
  async ended(timeoutMs = 60_000): Promise<{ readonly code: number | null; readonly signal: string | null }> {
    return waitUntil(`${this.name} to end`, () => this.#exit, { timeoutMs });
  }

  get running(): boolean {
    return this.#child !== null && this.#exit === null;
  }

  get api(): NodeApi {
    if (this.#api === null) throw new Error(`${this.name} was never ready`);
    return this.#api;
  }

  /** For requests with another token, or none. */
  async withToken(token: string | null): Promise<NodeApi> {
    const file = await this.requireFile();
    return new NodeApi(`http://${file.http}`, token, this.#place.socketPath);
  }

  set token(token: string | null) {
    this.#token = token;
    this.#dropApi();
  }

  async file(): Promise<NodeFile | null> {
    try {
      return JSON.parse(await readFile(join(this.dataDir, 'node.json'), 'utf8')) as NodeFile;
    } catch {
      return null;
    }
  }

  async requireFile(): Promise<NodeFile> {
    const file = await this.file();
    if (file === null) throw new Error(`${this.name} has no node.json\n${this.logTail()}`);
    return file;
  }

  async readSecret(name: 'admin.token' | 'join.token'): Promise<string> {
    return (await readFile(join(this.dataDir, name), 'utf8')).trim();
  }

  /** As kill -9 of the node alone: the runner and its jobs go on. */
  async killNode(): Promise<void> {
    kill(this.#pid());
    await this.#gone();
  }

  /** Nothing of it runs until `resume`; its connections stay open. */
  pause(): void {
    process.kill(this.#pid(), 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#pid(), 'SIGCONT');
  }

  /** As if somebody pulled the plug: node, runner and jobs at once. */
  async killMachine(): Promise<void> {
    const { pids } = await this.requireFile();
    kill(pids.node);
    if (pids.runner !== null) kill(pids.runner);
    killAllOf(this.#folder);
    await this.#gone();
  }

  async stop(signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<void> {
    const { pids } = await this.requireFile();
    process.kill(pids.node, signal);
    await this.#gone();
  }

  /** Ends everything that this node ever started, whatever state it is in. */
  destroy(): void {
    this.#dropApi();
    if (this.#child?.pid !== undefined && this.#exit === null) kill(this.#child.pid);
    killAllOf(this.#folder);
  }

  logTail(): string {
    let text: string;
    try {
      text = readFileSync(this.logPath, 'utf8');
    } catch {
      text = '(no log)';
    }
    return `--- the end of ${this.name}'s log\n${text.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')}\n---`;
  }

  /** The command becomes the node, which may not have written its `node.json` yet. */
  #pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} was never started`);
    return pid;
  }

  async #gone(): Promise<void> {
    await this.ended();
    this.#dropApi();
  }

  #failIfEnded(): void {
    if (this.#exit !== null) {
      throw new GiveUp(`${this.name} ended with ${this.#exit.code ?? this.#exit.signal}`);
    }
  }

  #connect(file: NodeFile): NodeApi {
    const url = `http://${file.http}`;
    if (this.#api?.http.url !== url) {
      this.#dropApi();
      this.#api = new NodeApi(url, this.#token, this.#place.socketPath);
    }
    return this.#api;
  }

  #dropApi(): void {
    this.#api?.close();
    this.#api = null;
  }
}
