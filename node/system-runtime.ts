import type { Runtime } from './replica/runtime.ts';

/** The machine's clocks, Node's timers and its generator. */
export const SYSTEM_RUNTIME: Runtime = {
  now: () => performance.now(),
  date: () => Date.now(),
  random: () => Math.random(),
  after(ms, action) {
    const timeout = setTimeout(action, ms);
    return { stop: () => clearTimeout(timeout) };
  },
  every(ms, action) {
    const interval = setInterval(action, ms);
    return { stop: () => clearInterval(interval) };
  },
  soon(action) {
    setImmediate(action);
  },
};
