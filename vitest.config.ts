import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Tests wait on signals and never retry; the limits are for a machine that hangs, not for one that is slow.
export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    retry: 0,
    // Tests of servers wait more than they work; Vitest's own choice is one worker where there are two cores.
    maxWorkers: Math.max(3, availableParallelism()),
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['packages/**/test/unit/**/*.test.ts', 'tests/docs/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'servers',
          include: ['packages/**/test/*.test.ts', 'tests/e2e/**/*.test.ts', 'tests/faults/*.test.ts'],
          globalSetup: ['tests/setup/test-servers.ts'],
        },
      },
      {
        extends: true,
        test: {
          // Servers of its own: an alert's cause, such as a transaction that stays open, concerns a whole Postgres.
          name: 'deploy',
          include: ['tests/deploy/**/*.test.ts'],
          globalSetup: ['tests/setup/monitoring-programs.ts', 'tests/setup/test-servers.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'upgrade',
          include: ['tests/long/upgrade/*.test.ts'],
          globalSetup: ['tests/setup/test-servers.ts'],
        },
      },
    ],
  },
});
