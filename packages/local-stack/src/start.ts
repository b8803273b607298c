import { parseArgs } from 'node:util';
import { dataDirOf, readStackEnvironment } from './config.ts';
import { DAEMONS, type DaemonName } from './daemons.ts';
import { runStack } from './run-stack.ts';
import { startBanner } from './start-banner.ts';

const EXIT_USAGE = 2;

const HELP = `Starts Sluice on this machine: Postgres, Redis and the four daemons.

Usage: npx -y pnpm@12 start [--without DAEMON]... [--no-install] [--help]

  --without DAEMON  leaves out ${DAEMONS.join(', ')}, so that
                    "npx -y pnpm@12 dev DAEMON" can run it from changing code
  --no-install      never installs a Redis with apt-get, nor pulls its image; fails when there is none

Environment, also read from .env in the repository's root:
  SLUICE_DATA_DIR   where the data is stored, .sluice if not set
  DATABASE_URL      a PostgreSQL (16 or later) to use instead of starting one
  REDIS_URL         a Redis (7.0 or later) to use instead of starting one
  INGEST_PORT       8080 if not set
  QUERY_PORT        8081 if not set
  WRITER_PORT       8082 if not set
  MAINTENANCE_PORT  8083 if not set
  OTEL_EXPORTER_OTLP_ENDPOINT
                    where traces go, e.g. http://127.0.0.1:4318; nothing is traced if not set

Ctrl-C stops it in order; nothing that was accepted is lost. Press it again to stop at once.
`;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({
      allowNegative: true,
      options: {
        without: { type: 'string', multiple: true },
        install: { type: 'boolean', default: true },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (!values.help) return await start(daemonsWithout(values.without ?? []), values.install);
    process.stdout.write(HELP);
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nSee: npx -y pnpm@12 start --help\n`);
    return EXIT_USAGE;
  }
}

function daemonsWithout(names: readonly string[]): readonly DaemonName[] {
  const unknown = names.find((name) => !DAEMONS.some((each) => each === name));
  if (unknown !== undefined) throw new Error(`--without must be one of ${DAEMONS.join(', ')}, not "${unknown}"`);
  return DAEMONS.filter((each) => !names.includes(each));
}

async function start(daemons: readonly DaemonName[], mayInstall: boolean): Promise<number> {
  const env = readStackEnvironment();
  return runStack({
    dataDir: dataDirOf(env),
    env,
    daemons,
    mayInstall,
    report: print,
    whenReady: async (stack) => {
      print(startBanner(stack, env));
      return 'stay';
    },
  });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
