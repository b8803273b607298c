import { parseArgs } from 'node:util';

export const DEMO_HELP = `Starts Sluice, sends a burst of events, and shows how fast they were acknowledged and stored.

Usage: npx -y pnpm@12 demo [options]

  --events N        how many generated events to send, 200000 if not set
  --batch N         events a request, 500 if not set, 1000 at most
  --connections N   connections that send at the same time, 20 if not set
  --input FILE      send the events of a file instead, one JSON object a line; .gz may be compressed
  --json            print the result as one JSON object, everything else on standard error
                    (pnpm prints a line of its own first: npx -y pnpm@12 --silent demo --json)
  --no-install      never installs a Redis with apt-get, nor pulls its image; fails when there is none
  --exit            stop when done instead of staying up; the exit code is 1 if anything was not stored once
  --help

The environment is that of: npx -y pnpm@12 start --help
`;

export interface DemoOptions {
  help: boolean;
  events: number;
  batch: number;
  connections: number;
  /** As given on the command line. */
  input: string | undefined;
  json: boolean;
  exit: boolean;
  /** Whether a missing Redis may be installed or downloaded. */
  install: boolean;
}

/** Reads the command line of `demo`. Throws for an unknown option, and for a number that is invalid or out of bounds. */
export function parseDemoOptions(args: string[]): DemoOptions {
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      events: { type: 'string' },
      batch: { type: 'string' },
      connections: { type: 'string' },
      input: { type: 'string' },
      json: { type: 'boolean', default: false },
      exit: { type: 'boolean', default: false },
      install: { type: 'boolean', default: true },
    },
  });
  if (values.input !== undefined && values.events !== undefined) {
    throw new Error('--events counts generated events; it does not go with --input, which sends a whole file');
  }
  return {
    ...values,
    input: values.input,
    events: wholeNumber('--events', values.events, { usual: 200_000, max: 10_000_000 }),
    batch: wholeNumber('--batch', values.batch, { usual: 500, max: 1_000 }),
    connections: wholeNumber('--connections', values.connections, { usual: 20, max: 1_000 }),
  };
}

function wholeNumber(name: string, given: string | undefined, { usual, max }: { usual: number; max: number }): number {
  if (given === undefined) return usual;
  const value = /^\d+$/.test(given) ? Number(given) : 0;
  if (value < 1 || value > max) throw new Error(`${name} must be a whole number from 1 to ${max}, not "${given}"`);
  return value;
}
