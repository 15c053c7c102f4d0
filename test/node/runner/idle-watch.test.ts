import { describe, expect, it } from 'vitest';
import { IdleWatch } from '../../../node/runner/idle-watch.ts';

const size = (bytes: number) => ({ bytes, cut: [] });

describe('IdleWatch', () => {
  it('finds idle what wrote nothing for so long since its start', () => {
    const watch = new IdleWatch(1000, 500);
    expect(watch.look(size(0), 1499)).toBe('busy');
    expect(watch.look(size(0), 1500)).toBe('idle');
  });

  it('counts anew from each look at which the outputs had grown', () => {
    const watch = new IdleWatch(1000, 0);
    expect(watch.look(size(1), 900)).toBe('busy');
    expect(watch.look(size(1), 1899)).toBe('busy');
    expect(watch.look(size(2), 1950)).toBe('busy');
    expect(watch.look(size(2), 2949)).toBe('busy');
    expect(watch.look(size(2), 2950)).toBe('idle');
  });

  it('takes growth that came with the look for activity, however late the look is', () => {
    const watch = new IdleWatch(1000, 0);
    expect(watch.look(size(5), 60_000)).toBe('busy');
  });

  it('takes what was cut back to the limit for activity', () => {
    const watch = new IdleWatch(1000, 0);
    watch.look({ bytes: 10, cut: ['stdout'] }, 10);
    expect(watch.look({ bytes: 10, cut: ['stdout'] }, 1500)).toBe('busy');
    expect(watch.look(size(10), 2499)).toBe('busy');
    expect(watch.look(size(10), 2500)).toBe('idle');
  });
});
