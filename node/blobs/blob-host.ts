import type { Logger } from 'pino';
import type { BlobName } from '../../src/cas/digest.ts';
import type { NodeId } from '../../src/ids.ts';
import type { BulkNetwork } from '../p2p/bulk-network.ts';
import type { TreeCall } from '../trees/port.ts';
import { PeerAnswers } from './answer-peer.ts';
import type { ByteRange } from './blob-bytes.ts';
import { ClusterStore } from './cluster-store.ts';
import { FolderCheck } from './folder-check.ts';
import { type BlobMember, Holders } from './holders.ts';
import { BLOB_LIMITS, type BlobLimits } from './limits.ts';
import type { LocalStore, OpenBlob, PutOptions } from './local-store.ts';
import { openLocalStore } from './open-local-store.ts';
import { Peers } from './peers.ts';
import type {
  BlobCall,
  BlobFigures,
  BlobResults,
  BlobThreadData,
  BulkSettings,
  HandOver,
  PutResult,
  Whereabouts,
} from './port.ts';
import { Repair } from './repair.ts';
import { Scrubber } from './scrubber.ts';

type OtherCall = Exclude<BlobCall, { readonly method: 'put' | 'open' | 'close' } | TreeCall>;

/** Everything of the blobs at one node, put together in their thread. */
export class BlobHost {
  readonly #local: LocalStore;
  readonly #cluster: ClusterStore;
  readonly #holders: Holders;
  readonly #repair: Repair;
  readonly #answers: PeerAnswers;
  readonly #check: FolderCheck;
  readonly #scrubber: Scrubber;
  readonly #running: Promise<unknown>;
  readonly #data: BlobThreadData;
  readonly #limits: BlobLimits;
  readonly #logger: Logger;
  #network: Promise<BulkNetwork> | null = null;
  #listening: BulkNetwork | null = null;
  #members: readonly BlobMember[] = [];
  #wishedToLeave = false;
  #leavesUntil = 0;

  /** @throws Fault `diskFull`, `diskFailed` */
  static async open(data: BlobThreadData, logger: Logger): Promise<BlobHost> {
    const limits = { ...BLOB_LIMITS, ...data.limits };
    const local = await openLocalStore(data.folder, { capacityBytes: data.capacityBytes, limits });
    return new BlobHost(local, data, limits, logger);
  }

  private constructor(local: LocalStore, data: BlobThreadData, limits: BlobLimits, logger: Logger) {
    const { copies, network } = data;
    const { self } = network;
    this.#local = local;
    this.#data = data;
    this.#limits = limits;
    this.#logger = logger;
    const clock = (): number => performance.now();
    const opener = {
      open: (to: NodeId, body: Uint8Array, signal: AbortSignal, stallMs: number) =>
        this.#open(to, body, signal, stallMs),
    };
    const peers = new Peers(opener, limits.stallMs);
    const holders = new Holders({ self, goneAfterMs: limits.goneAfterMs });
    const shared = { self, local, peers, holders, logger, clock, now: Date.now };
    const cluster = new ClusterStore({ ...shared, onAmiss: (name) => this.#repair.note(name) }, { copies, limits });
    this.#holders = holders;
    this.#cluster = cluster;
    this.#answers = new PeerAnswers({ local, peers: () => peers }, limits);
    this.#repair = new Repair(
      { ...shared, active: () => cluster.active, fetch: (name) => cluster.fetch(name) },
      { copies, limits },
    );
    local.setHooks({ mayGo: (names) => this.#repair.mayGo(names), onLost: (name) => this.#repair.lost(name) });
    const parts = { store: local, disk: local.disk, logger, now: Date.now };
    this.#check = new FolderCheck(parts, limits);
    this.#scrubber = new Scrubber(parts, limits);
    this.#running = Promise.all([this.#check.run().then(() => this.#scrubber.run()), this.#repair.run()]);
  }

  async put(name: BlobName, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<PutResult> {
    return await this.#cluster.put(name, source, options);
  }

  async read(name: BlobName, range: ByteRange): Promise<OpenBlob> {
    return await this.#cluster.read(name, range);
  }

  async call(call: OtherCall): Promise<BlobResults[OtherCall['method']]> {
    switch (call.method) {
      case 'putFile':
        return await this.#cluster.putFile(call.name, call.path, call.pins);
      case 'stat':
        return await this.#cluster.stat(call.name);
      case 'missing':
        return await this.#cluster.missing(call.names);
      case 'pin':
        await this.#cluster.pin(call.name, call.pins);
        return null;
      case 'release':
        await this.#local.release(call.owner);
        return null;
      case 'members':
        await this.#setMembers(call.members, call.selfLeaves);
        return null;
      case 'whereabouts':
        return await this.#whereabouts();
      case 'handOver':
        return await this.#handOver();
      case 'figures':
        return this.#figures();
      default:
        return call satisfies never;
    }
  }

  async close(): Promise<void> {
    this.#check.stop();
    this.#scrubber.stop();
    this.#repair.stop();
    // Before it is waited for those who ask others.
    await (await this.#network?.catch(() => null))?.close();
    await this.#running;
    await this.#local.close();
  }

  async #setMembers(members: readonly BlobMember[], selfLeaves: boolean): Promise<void> {
    const gone = this.#members.filter(
      ({ id, connected }) => connected && members.find((member) => member.id === id)?.connected === false,
    );
    this.#members = members;
    this.#wishedToLeave = selfLeaves;
    this.#updateHolders();
    if (members.length > 0 || this.#network !== null) {
      const network = await this.#listen();
      network.setMembers(membersFor(this.#members));
      for (const { id } of gone) network.drop(id);
    }
    this.#cluster.membersChanged();
    this.#repair.membersChanged();
  }

  #updateHolders(): void {
    const now = performance.now();
    this.#holders.update(this.#members, this.#wishedToLeave || now < this.#leavesUntil, now);
  }

  async #handOver(): Promise<HandOver> {
    const { handOverMs, leavingMs } = this.#limits;
    const now = performance.now();
    this.#leavesUntil = now + leavingMs;
    this.#updateHolders();
    this.#repair.membersChanged();
    return { left: await this.#repair.handOver(now + handOverMs) };
  }

  async #whereabouts(): Promise<Whereabouts> {
    const network = await this.#listen();
    return { addresses: network.addresses(), store: this.#local.index.storeId };
  }

  async *#open(to: NodeId, body: Uint8Array, signal: AbortSignal, stallMs: number): AsyncGenerator<Uint8Array, void> {
    yield* (await this.#listen()).open(to, body, signal, stallMs);
  }

  /** A node alone needs no network, and libp2p takes half a second to load. */
  async #listen(): Promise<BulkNetwork> {
    this.#network ??= startNetwork(this.#data.network, this.#logger, this.#answers).catch((error: unknown) => {
      // The next who needs it tries again.
      this.#network = null;
      throw error;
    });
    this.#listening = await this.#network;
    return this.#listening;
  }

  #figures(): BlobFigures {
    const { index, eviction, damaged } = this.#local;
    return {
      blobs: index.blobs,
      bytes: index.bytes,
      capacityBytes: this.#data.capacityBytes,
      evicted: eviction.evicted,
      damaged,
      scrubbedBytes: this.#scrubber.scrubbedBytes,
      ...this.#cluster.figures,
      ...this.#repair.figures,
      bytesSent: this.#listening?.bytesSent ?? 0,
      bytesReceived: this.#listening?.bytesReceived ?? 0,
    };
  }
}

async function startNetwork(settings: BulkSettings, logger: Logger, answers: PeerAnswers): Promise<BulkNetwork> {
  const [{ BulkNetwork: Network }, { decodeNodeKey }] = await Promise.all([
    import('../p2p/bulk-network.ts'),
    import('../p2p/identity.ts'),
  ]);
  const { clusterKey, clusterId, listen, advertise } = settings;
  const privateKey = decodeNodeKey(settings.privateKey);
  return await Network.start({ logger, privateKey, clusterKey, clusterId }, { listen, advertise }, (from, body) =>
    answers.answer(from, body),
  );
}

function membersFor(members: readonly BlobMember[]): ReadonlyMap<NodeId, readonly string[]> {
  return new Map(members.map(({ id, addresses }) => [id, addresses ?? []]));
}
