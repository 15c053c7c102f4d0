import { describe, expect, it, onTestFinished } from 'vitest';
import type { EventView } from '../../src/api/event-view.ts';
import { QuorateClient } from '../../src/client/client.ts';
import type { EventOptions } from '../../src/client/follow-events.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { useCluster } from '../support/use-cluster.ts';
import { waitUntil } from '../support/wait-until.ts';

const cluster = useCluster({ size: 3 });

interface Following {
  readonly told: readonly EventView[];
  /** The ids behind which something is missing. */
  readonly gaps: readonly string[];
}

/** Follows at the first of the nodes, and at the next when that is away. */
async function follow(nodes: readonly NodeProcess[], options: EventOptions): Promise<Following> {
  const files = await Promise.all(nodes.map((node) => node.requireFile()));
  const client = new QuorateClient({ urls: files.map(({ http }) => http), token: await cluster().adminToken() });
  const stopped = new AbortController();
  onTestFinished(() => stopped.abort());
  const told: EventView[] = [];
  const gaps: string[] = [];
  const reading = async (): Promise<void> => {
    for await (const item of client.events.follow({ ...options, signal: stopped.signal })) {
      if (item.kind === 'event') told.push(item.event);
      else gaps.push(item.gap.after);
    }
  };
  void reading().catch((error: unknown) => {
    if (!stopped.signal.aborted) throw error;
  });
  return { told, gaps };
}

function statesOf({ told }: Following, job: string): readonly (string | undefined)[] {
  return told.flatMap((event) => (event.kind === 'job' && event.subject === job ? [event.job?.state] : []));
}

function untilSucceeded(following: Following, job: string): Promise<true> {
  return waitUntil('the event of its success', () => statesOf(following, job).at(-1) === 'succeeded' || null);
}

describe('the events of a cluster', () => {
  it('are the same at every node, and go on at another one when the first is killed', async () => {
    const [node, first, other] = [cluster().node(0), cluster().node(1), cluster().node(2)];
    const options = { after: String((await first.api.cluster()).appliedIndex), labels: { run: 'kill' } };
    const [moving, staying] = await Promise.all([follow([first, other, node], options), follow([other], options)]);
    const spec = { command: ['true'], resources: { cpu: 0.1 }, constraints: [`host != ${first.name}`] };
    const before = await node.api.submit({ ...spec, labels: { run: 'kill' } });
    await node.api.submit({ ...spec, labels: { run: 'other' } });
    await untilSucceeded(moving, before.id);
    await first.killNode();
    const after = await node.api.submit({ ...spec, labels: { run: 'kill' } });
    await Promise.all([untilSucceeded(moving, after.id), untilSucceeded(staying, after.id)]);
    expect(moving.told).toEqual(staying.told);
    expect([...moving.gaps, ...staying.gaps]).toEqual([]);
    expect(new Set(moving.told.map(({ subject }) => subject))).toEqual(new Set([before.id, after.id]));
    expect(statesOf(moving, after.id).at(0)).toMatch(/queued|assigned/);
  });

  it('tell of a gap at a node that does not remember what was, and go on with what comes', async () => {
    const [node, restarted] = [cluster().node(0), cluster().node(1)];
    await cluster().restart(restarted);
    const following = await follow([restarted], { after: '1', kinds: ['job'] });
    await waitUntil('the gap', () => following.gaps.length > 0 || null);
    const job = await node.api.submit({ command: ['true'] });
    await untilSucceeded(following, job.id);
    expect(following.gaps).toEqual(['1']);
  });
});
