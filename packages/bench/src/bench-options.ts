import { parseArgs } from 'node:util';

/** The settings of a benchmark. Files and folders are as given on the command line. */
export interface BenchOptions {
  /** Only checks that the suite works. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Events of a burst. */
  readonly events: number;
  /** Events before the first round, so that code is compiled and caches are full. */
  readonly warmUp: number;
  /** Events to put on the stream, to measure their size there. */
  readonly sample: number;
  /** Of a sustained load. */
  readonly seconds: number;
  readonly connections: number;
  /** Events that wait when draining begins. */
  readonly backlog: number;
  /** Rows that are stored before the measurement. */
  readonly stored: number;
  /** Of `query`. */
  readonly rows: number;
  readonly queries: number;
  /** Events a second, of `query`. */
  readonly rate: number;
  readonly out: string | undefined;
  readonly svg: string | undefined;
  /** Real events, to measure their size in Redis; undefined for the usual file, if it exists. */
  readonly edits: string | undefined;
}

interface Setting {
  readonly full: number;
  /** With --quick: enough to check that the suite works, but not to measure speed. */
  readonly quick: number;
  readonly min: number;
  readonly max: number;
  readonly help: string;
}

const NUMBERS = {
  rounds: { full: 5, quick: 1, min: 1, max: 100, help: 'paired rounds of each figure' },
  seconds: { full: 60, quick: 0.2, min: 1, max: 3_600, help: 'how long a sustained load lasts' },
  events: { full: 200_000, quick: 1_000, min: 1_000, max: 10_000_000, help: 'events of a burst' },
  connections: { full: 20, quick: 20, min: 1, max: 1_000, help: 'connections of the load' },
  backlog: { full: 2_000_000, quick: 10_000, min: 2_000, max: 20_000_000, help: 'events that are drained' },
  stored: { full: 10_000_000, quick: 10_000, min: 1_000, max: 100_000_000, help: 'most rows stored beforehand' },
  rows: {
    full: 1_000_000,
    quick: 40_000,
    min: 40_000,
    max: 100_000_000,
    help: 'query, exports: events stored beforehand',
  },
  queries: { full: 200, quick: 10, min: 10, max: 100_000, help: 'query: questions of each kind' },
  rate: { full: 2_000, quick: 2_000, min: 0, max: 100_000, help: 'query: events a second written meanwhile' },
} as const satisfies Record<string, Setting>;

const WARM_UP = { full: 50_000, quick: 1_000 };
/** As many as there are real edits. */
const SAMPLE = { full: 30_000, quick: 500 };

/** The text of `bench --help`. */
export function benchHelp(suites: readonly { readonly name: string; readonly description: string }[]): string {
  return `Measures Sluice beside its peers and beside what the machine can do, in the same run. Starts and stops all it needs.

Usage: npx -y pnpm@12 bench SUITE [options]

${lines([...suites.map(({ name, description }) => [name, description] as const), ['all', 'one after the other']])}
${lines(Object.entries(NUMBERS).map(([name, { full, min, max, help }]) => [`--${name} N`, `${help}, ${full} if not set (${min} to ${max})`] as const))}${lines(
    [
      ['--quick', 'small numbers and one round: shows that it works, not how fast'],
      ['--out FILE', 'where the figures of each round are written as JSON, bench-SUITE[-quick].json if not set'],
      ['--svg DIR', 'growth: draw its charts there'],
      ['--edits FILE', 'ingest: real events, one JSON a line, gzip or not'],
      ['-h, --help', 'this text'],
    ],
  )}
Speed on a busy machine says little. Compare the ratios: both sides ran in the same minute.
Data lie in a new folder in TMPDIR; on a tmpfs fsync is free, and figures are not those of a disk.
To choose cores, for all that is started: taskset -c 2,3 npx -y pnpm@12 bench SUITE
Ctrl-C stops in order; again, it kills what has not stopped. The logs of a failed suite remain.
`;
}

function lines(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([name, text]) => `  ${name.padEnd(18)}${text}\n`).join('');
}

/**
 * Reads the command line of `bench`.
 *
 * @param suites the existing names
 * @returns the names to run, in order; null when only help is wanted
 * @throws without a suite, for an unknown suite or option, and for a number that is invalid or out of bounds
 */
export function parseBenchOptions(
  args: readonly string[],
  suites: readonly string[],
): { chosen: readonly string[]; options: BenchOptions } | null {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      events: { type: 'string' },
      connections: { type: 'string' },
      backlog: { type: 'string' },
      stored: { type: 'string' },
      rows: { type: 'string' },
      queries: { type: 'string' },
      rate: { type: 'string' },
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
      svg: { type: 'string' },
      edits: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help || args.length === 0) return null;
  if (positionals.length === 0) throw new Error(`which suite? There are: ${[...suites, 'all'].join(', ')}`);
  const [suite = ''] = positionals;
  if (positionals.length > 1 || !['all', ...suites].includes(suite)) {
    throw new Error(`there is no benchmark "${positionals.join(' ')}"; there are: ${[...suites, 'all'].join(', ')}`);
  }
  const size = values.quick ? 'quick' : 'full';
  const number = (name: keyof typeof NUMBERS): number => wholeNumber(name, values[name], NUMBERS[name], size);
  return {
    chosen: suite === 'all' ? suites : [suite],
    options: {
      quick: values.quick,
      rounds: number('rounds'),
      seconds: number('seconds'),
      events: number('events'),
      connections: number('connections'),
      backlog: number('backlog'),
      stored: number('stored'),
      rows: number('rows'),
      queries: number('queries'),
      rate: number('rate'),
      warmUp: WARM_UP[size],
      sample: SAMPLE[size],
      out: values.out,
      svg: values.svg,
      edits: values.edits,
    },
  };
}

function wholeNumber(name: string, given: string | undefined, setting: Setting, size: 'full' | 'quick'): number {
  if (given === undefined) return setting[size];
  const value = /^\d+$/.test(given) ? Number(given) : -1;
  if (value < setting.min || value > setting.max)
    throw new Error(`--${name} must be a whole number from ${setting.min} to ${setting.max}, not "${given}"`);
  return value;
}
