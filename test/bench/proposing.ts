import type { Replica } from '../../node/replica/replica.ts';
import { SYSTEM } from '../../src/auth.ts';
import type { NodeId } from '../../src/ids.ts';
import type { Command } from '../../src/state/commands.ts';
import { quantileOf } from './statistics.ts';

export interface ProposingOrder {
  readonly clients: number;
  /** Of one proposal. */
  readonly commands: number;
  readonly ms: number;
}

export interface ProposingResult {
  readonly proposalsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Replaces one record of the state by an equal one: about 100 bytes in the log, and the state does not grow. */
export function smallCommand(node: NodeId): Command {
  return { kind: 'announceNode', node, addresses: [], http: null, version: '1' };
}

/** Each client proposes its next commands when it has the results of those before, as the node's HTTP edge would. */
export async function proposeForAWhile(
  replica: Replica,
  node: NodeId,
  { clients, commands, ms }: ProposingOrder,
): Promise<ProposingResult> {
  const batch = Array.from({ length: commands }, () => smallCommand(node));
  const latencies: number[] = [];
  const began = performance.now();
  const client = async (): Promise<void> => {
    for (;;) {
      const sentAt = performance.now();
      if (sentAt - began > ms) return;
      const results = await replica.propose(SYSTEM, batch);
      if (results.some(({ ok }) => !ok)) throw new Error('a command was refused');
      latencies.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - began) / 1000;
  return {
    proposalsPerSecond: latencies.length / seconds,
    p50Ms: quantileOf(latencies, 0.5),
    p99Ms: quantileOf(latencies, 0.99),
  };
}
