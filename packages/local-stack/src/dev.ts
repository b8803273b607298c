import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { visibleLines } from '@sluice/errors/visible';
import { exitOf } from './child-exit.ts';
import { dataDirOf, readStackEnvironment, REPOSITORY } from './config.ts';
import { DAEMONS, PORTS, type DaemonName } from './daemons.ts';
import { assertPortFree, freePort } from './free-port.ts';
import { TRACING } from './launch-daemon.ts';
import { readRunningStack, type StackFacts } from './stack-file.ts';
import { onStopSignals } from './stop-signals.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Added to a daemon's usual port when the stack's own daemon has that one: 8181 beside 8081. */
const PORT_OFFSET = 100;

const HELP = `Runs one daemon of this checkout beside a running stack, and starts it again whenever its code changes.

Usage: npx -y pnpm@12 dev DAEMON [--port N]

  DAEMON      ${DAEMONS.join(', ')}
  --port N    where it listens; if not given, its usual port when that is free, else ${PORT_OFFSET} above it
  --help

It uses the Postgres, the Redis and the export folder of the stack that runs on SLUICE_DATA_DIR (.sluice), or DATABASE_URL
and REDIS_URL if both are set. The stack's own daemon of that name keeps running: send requests to the port that is
printed; workers share the work. To have a worker to yourself, leave it out of the stack:

  npx -y pnpm@12 start --without writer-worker

Ctrl-C stops this daemon in order, and leaves the stack running. Exit codes: 0 stopped, 1 it did not work, 2 wrong options.
`;

/** What it means when the stack runs the same daemon. */
const SHARING: Readonly<Record<DaemonName, string>> = {
  'ingest-api': "What it accepts goes into the stack's queue, and the stack's writer stores it.",
  'query-api': 'It reads what the stack has stored.',
  'writer-worker': 'The two share the queue: each gets some of the entries. See --help for how to have this one alone.',
  'maintenance-worker':
    'The two share the work: each run of a job is done by one of them. See --help for how to have this one alone.',
};

process.exitCode = await main();

async function main(): Promise<number> {
  let name: DaemonName;
  let port: string | undefined;
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { port: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    name = daemonNamed(positionals);
    port = values.port;
    if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) <= 65_535))
      throw new Error(`--port must be a port number from 0 to 65535, not "${port}"`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nSee: npx -y pnpm@12 dev --help\n`);
    return EXIT_USAGE;
  }
  try {
    return await develop(name, port);
  } catch (error) {
    process.stderr.write(`error: ${visibleLines((error as Error).message)}\n`);
    return EXIT_FAILED;
  }
}

function daemonNamed(names: readonly string[]): DaemonName {
  const found = DAEMONS.find((name) => name === names[0]);
  if (names.length !== 1 || found === undefined) throw new Error(`Name one daemon: ${DAEMONS.join(', ')}`);
  return found;
}

/** Runs the daemon until Ctrl-C, and answers the exit code. */
async function develop(name: DaemonName, port: string | undefined): Promise<number> {
  const env = readStackEnvironment();
  const dataDir = dataDirOf(env);
  const stack = await findServers(env, dataDir);
  const chosen = await choosePort(name, env, port);
  const entry = join(REPOSITORY, 'packages', name, 'src', 'main.ts');
  process.stdout.write(`${describe(name, chosen, stack)}\n`);
  // A process group of its own: a terminal's Ctrl-C would reach the daemon twice, and a second signal cuts its stop short.
  const watcher = spawn(process.execPath, ['--watch', '--watch-preserve-output', '--import', TRACING, entry], {
    cwd: REPOSITORY,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      EXPORT_DIR: join(dataDir, 'exports'),
      ...env,
      DATABASE_URL: stack.databaseUrl,
      REDIS_URL: stack.redisUrl,
      // Meant for other servers: the stack's has no TLS.
      ...(env['DATABASE_URL'] ? {} : { PGSSLMODE: undefined }),
      // Two writers of one name would read each other's entries as their own.
      WRITER_NAME: `${env['WRITER_NAME'] || 'writer'}-dev`,
      [PORTS[name].variable]: String(chosen),
    },
  });
  let stopped = false;
  const ignoreSignals = onStopSignals({
    stop: () => {
      stopped = true;
      watcher.kill('SIGTERM');
    },
    force: () => process.kill(-watcher.pid!, 'SIGKILL'),
  });
  const { code } = await exitOf(watcher);
  ignoreSignals();
  return stopped ? 0 : (code ?? EXIT_FAILED);
}

/** Finds the servers to work with: those that the caller names, else those of the running stack. */
async function findServers(env: NodeJS.ProcessEnv, dataDir: string): Promise<StackFacts> {
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl } = env;
  const stack = await readRunningStack(dataDir);
  if (databaseUrl && redisUrl) return { databaseUrl, redisUrl, daemons: stack?.daemons ?? [] };
  if (stack) return stack;
  throw new Error(
    `no stack is running on ${dataDir}. Start one in another terminal: npx -y pnpm@12 start\n(or set DATABASE_URL and REDIS_URL)`,
  );
}

/** Chooses a fixed port, also for 0: after each change the daemon must listen where it did. */
async function choosePort(name: DaemonName, env: NodeJS.ProcessEnv, asked: string | undefined): Promise<number> {
  const { variable, port: usual } = PORTS[name];
  if (asked !== undefined) {
    const port = Number(asked);
    if (port !== 0) await assertPortFree({ port, variable: '--port' });
    return freePort(port);
  }
  const preferred = Number(env[variable] || usual);
  try {
    if (preferred !== 0) await assertPortFree({ port: preferred, variable });
    return await freePort(preferred);
  } catch {
    return freePort(preferred + PORT_OFFSET);
  }
}

function describe(name: DaemonName, port: number, { daemons }: StackFacts): string {
  const beside = daemons.includes(name);
  return [
    `${name} of this checkout, on http://127.0.0.1:${port}${beside ? `, beside the stack's own ${name}` : ''}`,
    ...(beside ? [SHARING[name]] : []),
    'A change of a file that it loads starts it again. Ctrl-C stops it and leaves the stack running.',
    '',
  ].join('\n');
}
