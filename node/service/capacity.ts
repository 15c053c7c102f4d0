import { randomBytes } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { availableParallelism, freemem, loadavg } from 'node:os';
import { z } from 'zod';
import type { RunnerView } from '../../src/api/views.ts';
import type { NodeId } from '../../src/ids.ts';
import { loadBeyondJobs } from '../../src/scheduling/measured-load.ts';
import type { ChangeEvent } from '../../src/state/apply.ts';
import type { ClusterState } from '../../src/state/state.ts';
import type { PeerNetwork } from '../p2p/network.ts';
import { decodeVersioned, encodeVersioned } from '../versioned.ts';
import { heapShare, type HeapUse } from './heap-room.ts';

const PROCESSORS = availableParallelism();

const SAMPLE_MS = 1_000;
/** An unchanged machine says so this often … */
const REPEAT_MS = 10_000;
/** … and what is older than this is not believed. */
const STALE_MS = 30_000;
/** Smaller changes are not worth a message, as parts of the whole. */
const REAL_CHANGE = 0.1;
const REAL_HEAP_CHANGE = 0.05;

const advertSchema = z.strictObject({
  /** The sender's session: a restarted node counts its sequence anew. */
  session: z.string().max(64),
  sequence: z.int().nonnegative(),
  load1: z.number().nonnegative(),
  memoryFree: z.number().nonnegative(),
  diskFree: z.number().nonnegative(),
  /** Of the node's heap, from 0 to 1; nodes of an earlier version do not tell. */
  heap: z.number().min(0).max(1).optional(),
  /** That `load1` is to be read against; nor do they tell this. */
  processors: z.int().positive().optional(),
});
type Advert = z.infer<typeof advertSchema>;
type Load = NonNullable<RunnerView['load']>;
type Measured = Load & { readonly heap: number };

/** What each machine measures of itself, spread by gossip: a lossy hint for people and for ranking, never a promise. */
export class CapacityView {
  readonly #network: PeerNetwork;
  readonly #self: NodeId;
  readonly #isMember: (node: NodeId) => boolean;
  readonly #session = randomBytes(9).toString('base64url');
  readonly #dataDir: string;
  readonly #heard = new Map<NodeId, { readonly advert: Advert; readonly at: number }>();
  #timer: NodeJS.Timeout | null = null;
  #sequence = 0;
  #published: { readonly load: Measured; readonly at: number } | null = null;

  constructor(
    dependencies: {
      readonly network: PeerNetwork;
      readonly self: NodeId;
      /** What others than members say is not believed: one that was removed may still be heard by way of others. */
      readonly isMember: (node: NodeId) => boolean;
    },
    options: { readonly dataDir: string },
  ) {
    this.#network = dependencies.network;
    this.#self = dependencies.self;
    this.#isMember = dependencies.isMember;
    this.#dataDir = options.dataDir;
  }

  start(): void {
    this.#network.onCapacity((from, bytes) => this.#hear(from, bytes));
    this.#timer = setInterval(() => void this.#sample(), SAMPLE_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  loadOf(node: NodeId): Load | null {
    const heard = this.#heard.get(node);
    if (heard === undefined || performance.now() - heard.at > STALE_MS) return null;
    const { load1, memoryFree, diskFree } = heard.advert;
    return { load1, memoryFree, diskFree };
  }

  /** How much less each runner has free than the state says, as its machine told it lately. */
  loadBeyondJobs({ allocations }: Pick<ClusterState, 'allocations'>, runner: NodeId): number {
    const load = this.loadOf(runner);
    const processors = this.#heard.get(runner)?.advert.processors ?? null;
    return loadBeyondJobs(load === null ? null : { ...load, processors }, allocations.get(runner));
  }

  /** This node's own as it is now, and those of others as they told it last. */
  *heaps(): Generator<HeapUse, undefined> {
    yield { node: this.#self, share: heapShare() };
    for (const [node, { advert, at }] of this.#heard) {
      if (node === this.#self || advert.heap === undefined || performance.now() - at > STALE_MS) continue;
      yield { node, share: advert.heap };
    }
    return undefined;
  }

  changed(events: readonly ChangeEvent[]): void {
    for (const event of events) if (event.kind === 'node' && event.node === null) this.#heard.delete(event.id);
  }

  async #sample(): Promise<void> {
    const disk = await statfs(this.#dataDir).catch(() => null);
    const load: Measured = {
      load1: loadavg()[0] ?? 0,
      memoryFree: freemem(),
      diskFree: disk === null ? 0 : disk.bavail * disk.bsize,
      heap: Math.min(1, heapShare()),
    };
    const now = performance.now();
    const due = this.#published === null || now - this.#published.at >= REPEAT_MS;
    if (!due && this.#published !== null && !differs(load, this.#published.load)) return;
    this.#published = { load, at: now };
    this.#sequence += 1;
    const advert: Advert = { session: this.#session, sequence: this.#sequence, processors: PROCESSORS, ...load };
    this.#heard.set(this.#self, { advert, at: now });
    this.#network.publishCapacity(encodeVersioned(advert));
  }

  #hear(from: NodeId, bytes: Uint8Array): void {
    const advert = readAdvert(bytes);
    if (advert === null || !this.#isMember(from)) return;
    const known = this.#heard.get(from)?.advert;
    if (known?.session === advert.session && known.sequence >= advert.sequence) return;
    this.#heard.set(from, { advert, at: performance.now() });
  }
}

function readAdvert(bytes: Uint8Array): Advert | null {
  try {
    return advertSchema.parse(decodeVersioned(bytes));
  } catch {
    return null;
  }
}

function differs(a: Measured, b: Measured): boolean {
  return (
    Math.abs(a.load1 - b.load1) > Math.max(REAL_CHANGE, b.load1 * REAL_CHANGE) ||
    Math.abs(a.memoryFree - b.memoryFree) > b.memoryFree * REAL_CHANGE ||
    Math.abs(a.diskFree - b.diskFree) > b.diskFree * REAL_CHANGE ||
    Math.abs(a.heap - b.heap) > REAL_HEAP_CHANGE
  );
}
