/** A part of the tests that takes long, or needs programs other than Node and Redis. */
export interface LongSuite {
  readonly name: string;
  /** One line, for people who choose. */
  readonly proves: string;
  /** What must be on the machine, and whether the suite installs it. */
  readonly needs: string;
  /** Commands, one after the other, run in the repository; `node` is this process's own. */
  readonly full: readonly Command[];
  /** All of the suite's assertions, in the time that continuous integration has. */
  readonly short: readonly Command[];
}

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** Tests of one project of vitest.config.ts. */
function project(name: string): Command {
  return ['node', 'node_modules/vitest/vitest.mjs', 'run', '--project', name];
}

/** A suite whose short form is all of it. */
function whole(...commands: readonly Command[]): Pick<LongSuite, 'full' | 'short'> {
  return { full: commands, short: commands };
}

/** Every long suite there is, in the order in which they run. A new one is an entry here. */
export const LONG_SUITES: readonly LongSuite[] = [
  {
    name: 'axe',
    proves: 'the pages of both APIs, with their operations open, have no serious finding of axe, in light and in dark',
    needs:
      'Chromium, and a package registry: as root on Debian and Ubuntu it installs the one with apt, and axe and Playwright with npm below node_modules/.cache',
    full: [['node', 'tests/long/axe/main.ts']],
    // One operation of each section; with all of them the page takes minutes of computing.
    short: [['node', 'tests/long/axe/main.ts', '--short']],
  },
  {
    name: 'bench',
    proves: 'every benchmark runs to its end, with small numbers, finds figures above zero, and stops in order',
    needs:
      'Python 3.11 with venv, and package registries: what only peers need it installs with pip and npm below node_modules/.cache',
    ...whole(project('bench')),
  },
  {
    name: 'demos',
    proves: '`demo` stores a real file once, and `trace-demo` draws five traces that are as they are drawn',
    needs: 'nothing more than `pnpm test`',
    ...whole(project('demos')),
  },
  {
    name: 'deploy',
    proves: 'alerts fire, dashboards have answers, nginx and compose accept what is in deploy/',
    needs: 'prometheus, promtool, nginx and docker-compose; as root on Debian and Ubuntu it installs them with apt',
    ...whole(project('deploy')),
  },
  {
    name: 'end-to-end',
    proves:
      'all daemons together keep what the README, the settings, the logs and the traces promise, started as users start them',
    needs: 'nothing more than `pnpm test`',
    ...whole(project('end-to-end')),
  },
  {
    name: 'faults',
    proves: 'nothing acknowledged is lost and nothing is stored twice, whatever breaks',
    needs: 'nothing more than `pnpm test`; the faults of full disks also need the right to mount a tmpfs',
    // Ten minutes of rounds, each with the next seed. Then mistakes in a copy of the code, which the faults must find.
    full: [
      project('faults'),
      ['node', 'tests/faults/main.ts', '--minutes', '10', '--seed', '2'],
      ['node', 'tests/faults/find-mutants.ts'],
    ],
    short: [project('faults')],
  },
  {
    name: 'migration',
    proves:
      "0.1.0's tables are migrated under load, with a kill at each step, and back again: nothing lost, nothing twice",
    needs: 'nothing more than `pnpm test`; the full form also 40 GB of disk and an hour',
    full: [['node', 'tests/long/migration/main.ts']],
    short: [['node', 'tests/long/migration/main.ts', '--short']],
  },
  {
    name: 'outages',
    proves:
      'daemons and servers that are killed, frozen, full or away cost nothing that was accepted, and each says so',
    needs: 'nothing more than `pnpm test`',
    ...whole(project('outages')),
  },
  {
    name: 'schemathesis',
    proves: 'both APIs answer as their OpenAPI documents say, to whatever the documents allow and do not allow',
    needs: 'Python 3.10 with venv, and a package index: it installs Schemathesis with pip below node_modules/.cache',
    // The second seed is another in each run; the report names it.
    full: [
      ['node', 'tests/long/schemathesis/main.ts'],
      ['node', 'tests/long/schemathesis/main.ts', '--seed', String(Date.now() % 1_000_000_000)],
    ],
    short: [['node', 'tests/long/schemathesis/main.ts', '--short']],
  },
  {
    name: 'upgrade',
    proves: "the previous release's writer stores on the schema of this version",
    needs: 'the history of the repository, from which it checks the previous release out and installs it',
    full: [project('upgrade')],
    short: [['node', 'node_modules/vitest/vitest.mjs', 'run', 'packages/store/test/previous-writer.test.ts']],
  },
];
