import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { COMPILE_CACHE } from './packages/testkit/src/compile-cache.ts';

// `pnpm test` runs the projects unit and servers; the others are long suites, see tests/long/suites.ts.
// Tests wait on signals and never retry; the limits are for a machine that hangs, not for one that is slow.
export default defineConfig({
  test: {
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 180_000 } },
    retry: 0,
    env: COMPILE_CACHE,
    // Tests of servers wait more than they work; Vitest's own choice is one worker where there are two cores.
    maxWorkers: Math.max(5, availableParallelism()),
    reporters: ['default', './tests/setup/report-left-out.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // They leave nothing behind, and a process of its own for each file costs more than all of their tests.
          isolate: false,
          include: [
            'packages/{*,shared/*}/test/unit/**/*.test.ts',
            'tests/{docs,long,setup}/*.test.ts',
            'tests/deploy/{alerts-and-dashboards,compose-file}.test.ts',
          ],
        },
      },
      {
        extends: true,
        test: {
          name: 'servers',
          // As for unit: they close what they open.
          isolate: false,
          include: ['packages/{*,shared/*}/test/*.test.ts'],
          // An exclude replaces Vitest's own: without node_modules, the search follows the links between the packages for minutes.
          exclude: ['**/node_modules/**', 'packages/{bench,local-stack}/test/*.test.ts'],
          globalSetup: ['tests/setup/test-servers.ts'],
        },
      },
      {
        extends: true,
        // Daemons and servers are killed, frozen, full or away; each test starts its own.
        test: {
          name: 'outages',
          include: ['packages/*/test/outages/*.test.ts', 'tests/e2e/outages/*.test.ts'],
          globalSetup: ['tests/setup/test-servers.ts'],
        },
      },
      {
        extends: true,
        // All daemons together, started as users start them.
        test: {
          name: 'end-to-end',
          include: ['tests/e2e/*.test.ts', 'packages/local-stack/test/*.test.ts'],
          exclude: ['**/node_modules/**', 'tests/e2e/{demo,trace-demo}.test.ts'],
          globalSetup: ['tests/setup/test-servers.ts'],
        },
      },
      {
        extends: true,
        // Each starts and stops the whole local stack several times.
        test: {
          name: 'demos',
          include: ['tests/e2e/{demo,trace-demo}.test.ts'],
          globalSetup: ['tests/setup/test-servers.ts'],
        },
      },
      {
        extends: true,
        // Each benchmark wants the machine for itself.
        test: { name: 'bench', include: ['packages/bench/test/*.test.ts'], fileParallelism: false },
      },
      { extends: true, test: { name: 'faults', include: ['tests/faults/every-fault.test.ts'] } },
      {
        extends: true,
        test: {
          // Servers of its own: an alert's cause, such as a transaction that stays open, concerns a whole Postgres.
          name: 'deploy',
          include: ['tests/deploy/**/*.test.ts'],
          exclude: ['**/node_modules/**', 'tests/deploy/{alerts-and-dashboards,compose-file}.test.ts'],
          globalSetup: ['tests/setup/deploy-programs.ts', 'tests/setup/test-servers.ts'],
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
