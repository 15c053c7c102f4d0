import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toResourcesView } from '../../../src/api/resources-view.ts';
import { add, fits, fromSpec, type Resources, subtract, ZERO } from '../../../src/resources/resources.ts';

const amount = fc.nat({ max: 2 ** 40 });
const resources: fc.Arbitrary<Resources> = fc.record({
  cpuMilli: amount,
  memoryBytes: amount,
  gpu: amount,
  diskBytes: amount,
  custom: fc.dictionary(fc.constantFrom('license', 'constructor', 'x'), amount, { noNullPrototype: true }),
});

describe('fromSpec', () => {
  it('asks for one processor when nothing is said', () => {
    expect(fromSpec(undefined)).toEqual({ ...ZERO, cpuMilli: 1000 });
    expect(fromSpec({ memory: '1GiB' })).toEqual({ ...ZERO, cpuMilli: 1000, memoryBytes: 2 ** 30 });
  });

  it('makes whole numbers, rounding up what is not nothing', () => {
    expect(fromSpec({ cpu: 0.1 * 3 }).cpuMilli).toBe(300);
    expect(fromSpec({ cpu: 0.0001 }).cpuMilli).toBe(1);
    expect(fromSpec({ cpu: 0 }).cpuMilli).toBe(0);
    expect(fromSpec({ custom: { license: 1.5 } }).custom).toEqual({ license: 1500 });
  });
});

describe('sums', () => {
  it('come back exactly', () => {
    fc.assert(
      fc.property(resources, resources, (a, b) => {
        const there = add(a, b);
        const back = subtract(there, b);
        expect({ ...back, custom: { ...b.custom, ...back.custom } }).toMatchObject(a);
        expect(fits(a, there)).toBe(true);
        expect(fits(b, there)).toBe(true);
      }),
    );
  });

  it('fit only when each part does', () => {
    fc.assert(
      fc.property(resources, resources, (demand, free) => {
        const parts = [
          demand.cpuMilli <= free.cpuMilli,
          demand.memoryBytes <= free.memoryBytes,
          demand.gpu <= free.gpu,
          demand.diskBytes <= free.diskBytes,
          ...Object.entries(demand.custom).map(
            ([name, wanted]) => wanted <= (Object.hasOwn(free.custom, name) ? free.custom[name]! : 0),
          ),
        ];
        expect(fits(demand, free)).toBe(parts.every(Boolean));
      }),
    );
  });

  it('are told as nothing when they are below it', () => {
    const view = toResourcesView(subtract(ZERO, { ...ZERO, cpuMilli: 500, custom: { license: 1000 } }));
    expect(view).toEqual({ cpu: 0, memory: 0, gpu: 0, disk: 0, custom: { license: 0 } });
  });
});
