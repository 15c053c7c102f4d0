import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blobName } from '../../../src/cas/digest.ts';
import { rankHolders, wantedHolders } from '../../../src/cas/placement.ts';
import type { NodeId } from '../../../src/ids.ts';

const hash = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 32, maxLength: 32 })
  .map((bytes) => blobName('sha256', Buffer.from(bytes).toString('hex')));
const nodeId = fc.string({ minLength: 1, maxLength: 60 }).map((id) => id as NodeId);
const members = fc.uniqueArray(nodeId, { minLength: 1, maxLength: 12 });

/** As spread as hashes are, and the same in every run. */
function numbered(count: number) {
  let state = 1;
  const word = (): string => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0).toString(16).padStart(8, '0');
  };
  return Array.from({ length: count }, () => blobName('sha256', Array.from({ length: 8 }, word).join('')));
}

function peers(count: number): NodeId[] {
  return Array.from({ length: count }, (_, at) => `12D3KooW${String(at).padStart(44, 'x')}` as NodeId);
}

describe('the holders of a blob', () => {
  it('are the same in whatever order the members are told', () => {
    fc.assert(
      fc.property(hash, members, (name, ids) => {
        expect(rankHolders(name, ids.toReversed())).toEqual(rankHolders(name, ids));
        expect(new Set(rankHolders(name, ids))).toEqual(new Set(ids));
      }),
    );
  });

  it('are as many as are wanted, or as there are', () => {
    fc.assert(
      fc.property(hash, members, fc.integer({ min: 1, max: 5 }), (name, ids, copies) => {
        expect(wantedHolders(name, ids, copies)).toHaveLength(Math.min(copies, ids.length));
      }),
    );
  });

  it('keep their order when another member goes or comes', () => {
    fc.assert(
      fc.property(hash, members, nodeId, (name, ids, other) => {
        const others = ids.filter((id) => id !== other);
        const without = rankHolders(name, others);
        expect(rankHolders(name, [...others, other]).filter((id) => id !== other)).toEqual(without);
      }),
    );
  });

  it('change for no more blobs than a member that comes has its share of', () => {
    const names = numbered(4000);
    const before = peers(5);
    const after = peers(6);
    const moved = names.filter((name) => {
      const held = new Set(wantedHolders(name, before, 2));
      return wantedHolders(name, after, 2).some((id) => !held.has(id));
    });
    // Two of six hold each: a third of the blobs gets the new one, and none another change.
    expect(moved.every((name) => wantedHolders(name, after, 2).includes(after[5]!))).toBe(true);
    expect(moved.length / names.length).toBeGreaterThan(0.29);
    expect(moved.length / names.length).toBeLessThan(0.38);
  });

  it.each([2, 3, 5, 16])('are spread evenly over %i members', (count) => {
    const names = numbered(20_000);
    const held = new Map<NodeId, number>(peers(count).map((id) => [id, 0]));
    for (const name of names) {
      for (const id of wantedHolders(name, peers(count), 2)) held.set(id, (held.get(id) ?? 0) + 1);
    }
    const fair = (names.length * 2) / count;
    for (const share of held.values()) expect(Math.abs(share - fair) / fair).toBeLessThan(0.1);
  });

  it('are these: members of different versions must agree', () => {
    const [name] = numbered(1);
    expect(rankHolders(name!, peers(4)).map((id) => peers(4).indexOf(id))).toMatchInlineSnapshot(`
      [
        2,
        0,
        3,
        1,
      ]
    `);
  });
});
