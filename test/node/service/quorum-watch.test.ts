import { pino } from 'pino';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { QuorumWatch } from '../../../node/service/quorum-watch.ts';
import type { NodeId } from '../../../src/ids.ts';

const ids = (letters: string): NodeId[] => letters.split('') as NodeId[];

function setUp() {
  const lines: { readonly level: number; readonly code: string }[] = [];
  const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  const registry = new Registry();
  let alive = 'abc';
  let role: 'leads' | 'follows' = 'leads';
  const watch = new QuorumWatch({
    logger,
    registry,
    look: () => ({
      configuration: { voters: ids('abc'), outgoing: [], learners: [], learnersNext: [] },
      isAlive: (node) => alive.includes(node),
      wishOf: () => null,
      isHeldByParents: () => false,
    }),
    role: () => role,
  });
  const review = (times: number): void => {
    for (let i = 0; i < times; i += 1) watch.review();
  };
  const told = () => lines.splice(0).map(({ level, code }) => `${level === 40 ? 'warn' : 'over'} ${code}`);
  const become = (some: { readonly alive?: string; readonly role?: 'leads' | 'follows' }): void => {
    alive = some.alive ?? alive;
    role = some.role ?? role;
  };
  return { review, told, become, registry };
}

describe('the warnings in the log', () => {
  it('come once, and tell when they are over', () => {
    const { review, told, become } = setUp();
    review(5);
    expect(told()).toEqual([]);
    become({ alive: 'ab' });
    review(20);
    expect(told()).toEqual(['warn quorumAtRisk', 'warn voterUnreachable']);
    become({ alive: 'abc' });
    review(1);
    expect(told()).toEqual(['over quorumAtRisk', 'over voterUnreachable']);
  });

  it('do not come for what passes by itself', () => {
    const { review, told, become } = setUp();
    for (const alive of ['ab', 'abc', 'ab', 'abc']) {
      become({ alive });
      review(2);
    }
    expect(told()).toEqual([]);
  });

  it('are those of the leader, the next one too', () => {
    const { review, told, become } = setUp();
    become({ alive: 'ab', role: 'follows' });
    review(10);
    expect(told()).toEqual([]);
    become({ role: 'leads' });
    review(10);
    expect(told()).toEqual(['warn quorumAtRisk', 'warn voterUnreachable']);
  });
});

describe('the metrics', () => {
  it('tell the fault tolerance, the voters and the warnings', async () => {
    const { become, registry } = setUp();
    become({ alive: 'ab' });
    const text = await registry.metrics();
    expect(text).toMatch(/^quorate_cluster_fault_tolerance 0$/m);
    expect(text).toMatch(/^quorate_cluster_voters\{health="unreachable"\} 1$/m);
    expect(text).toMatch(/^quorate_cluster_warnings\{code="quorumAtRisk"\} 1$/m);
    expect(text).toMatch(/^quorate_cluster_warnings\{code="quorumLost"\} 0$/m);
  });
});
