import { defineConfig } from 'vitest/config';

const unit = ['test/{raft,src,node,tooling,sim,support}/**/*.test.ts'];

/** `unit` runs in parallel and in seconds; `e2e` starts whole clusters, one file after another. */
export default defineConfig({
  test: {
    passWithNoTests: false,
    projects: [
      { test: { name: 'unit', include: unit, testTimeout: 30_000, hookTimeout: 30_000 } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: ['test/e2e/faults/**'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/e2e/faults/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
    ],
    coverage: { provider: 'v8', include: ['raft/**/*.ts', 'src/**/*.ts', 'node/**/*.ts'] },
  },
});
