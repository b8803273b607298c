import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY } from './config.ts';
import { startDaemon } from './daemon-process.ts';
import type { DaemonHandle } from './daemon-process.ts';
import { type DaemonName, DAEMONS, STOP_ORDER } from './daemons.ts';
import { findRedisServer } from './find-redis.ts';
import { keepRunning } from './keep-running.ts';
import { stopOrphanedDaemon } from './launch-daemon.ts';
import { lockDataDir } from './lock-data-dir.ts';
import { makeFolder } from './make-folder.ts';
import { NICENESS } from './niceness.ts';
import { startPostgres } from './postgres.ts';
import type { PostgresHandle } from './postgres.ts';
import { progressLine } from './progress-line.ts';
import { startRedis } from './redis.ts';
import type { RedisHandle } from './redis.ts';
import { writeStackFile } from './stack-file.ts';
import { chooseDaemonPorts } from './stack-ports.ts';

export interface StackOptions {
  /** The folder of everything that the stack stores; made if missing. Only one stack runs on it at a time. */
  dataDir: string;
  /**
   * The environment of the daemons. With DATABASE_URL or REDIS_URL in it, that server is used and none is started.
   * Ports not in it are 8080 (INGEST_PORT), 8081 (QUERY_PORT), 8082 (WRITER_PORT) and 8083 (MAINTENANCE_PORT).
   */
  env: NodeJS.ProcessEnv;
  /** Called with one line for each step, warning and restart. */
  report: (line: string) => void;
  /** Which daemons to start, all four if not given. */
  daemons?: readonly DaemonName[] | undefined;
  /** The servers' ports if they are free; any free port if not given. */
  preferredPorts?: { postgres: number; redis: number };
  postgresSettings?: Record<string, string>;
  redisSettings?: Record<string, string>;
  /** Whether a missing Redis may be installed or downloaded; true if not given. */
  mayInstall?: boolean | undefined;
  /** Abandons a start, after stopping what it had started. */
  signal?: AbortSignal;
}

export interface StackHandle {
  databaseUrl: string;
  redisUrl: string;
  /** The requested daemons, by name. */
  daemons: Partial<Record<DaemonName, DaemonHandle>>;
  /**
   * Stops everything in order: ingest, then the writer when it has drained, the other daemons, Redis, Postgres.
   * `forced` kills the daemons, also while an ordered stop is waiting for them. Never rejects; may be called again.
   */
  stop(mode?: 'ordered' | 'forced'): Promise<void>;
}

/**
 * Starts Postgres, Redis and the daemons, and resolves when all are ready. A process that dies is started again.
 * Processes that a killed stack left running on the same folder are stopped first. Throws, with everything stopped
 * again, when a port is taken, another stack runs on the folder, or a part does not start.
 */
export async function startStack(options: StackOptions): Promise<StackHandle> {
  const { env, report, signal, daemons: wanted = DAEMONS } = options;
  await makeFolder(options.dataDir);
  const dataDir = await realpath(options.dataDir);
  const unlock = await lockDataDir(dataDir);
  const daemons: Partial<Record<DaemonName, DaemonHandle>> = {};
  const servers: { stop(): Promise<void> }[] = [];
  let removeFile: (() => void) | undefined;

  const stop = async (mode: 'ordered' | 'forced' = 'ordered'): Promise<void> => {
    // A forced stop takes the same steps; killed daemons end the waits of an ordered stop that is running.
    for (const names of STOP_ORDER) await Promise.all(names.map(async (name) => daemons[name]?.stop(mode)));
    for (const server of servers.toReversed()) await server.stop();
    removeFile?.();
    unlock();
  };

  try {
    await stopLeftovers(dataDir, report);
    const ports = await chooseDaemonPorts(env, wanted);
    signal?.throwIfAborted();
    const databaseUrl = env['DATABASE_URL'] || (await addPostgres(options, dataDir, servers));
    signal?.throwIfAborted();
    const redisUrl = env['REDIS_URL'] || (await addRedis(options, dataDir, servers));
    const defaults = { WRITER_NAME: 'writer-1', EXPORT_DIR: join(dataDir, 'exports') };
    // Their logs are files, and warnings are read from them.
    const fixed = { LOG_FORMAT: 'json', DATABASE_URL: databaseUrl, REDIS_URL: redisUrl };
    // Meant for other servers: daemons refuse it where DATABASE_URL does not say the same.
    if (!env['DATABASE_URL']) Object.assign(fixed, { PGSSLMODE: undefined });
    const daemonEnv = { ...defaults, ...env, ...ports, ...fixed };
    for (const name of DAEMONS.filter((each) => wanted.includes(each))) {
      const daemon = await startDaemon(
        { ...daemonPaths(dataDir, name), name, cwd: REPOSITORY, env: daemonEnv, report, niceness: NICENESS[name] },
        signal,
      );
      daemons[name] = daemon;
      report(progressLine(name, `ready  ${daemon.url}`));
    }
    signal?.throwIfAborted();
    removeFile = await writeStackFile(dataDir, { databaseUrl, redisUrl, daemons: wanted });
    return { databaseUrl, redisUrl, daemons, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function addPostgres(
  { report, preferredPorts, postgresSettings: settings, signal }: StackOptions,
  dataDir: string,
  servers: { stop(): Promise<void> }[],
): Promise<string> {
  const options = {
    dataDir: join(dataDir, 'postgres'),
    preferredPort: preferredPorts?.postgres,
    settings,
    report: (reason: string) => report(progressLine('postgres', reason)),
  };
  let port: number | undefined;
  const start = async (unwanted: AbortSignal) => {
    // A server that dies during the stop is started again: the writer still drains.
    const signals = signal === undefined || port !== undefined ? [unwanted] : [unwanted, signal];
    const run = await startPostgres({ ...options, port, signal: AbortSignal.any(signals) });
    // The daemons know it by this port, so a restart must use the same one.
    port = run.port;
    return run;
  };
  const kept = await keepRunning<PostgresHandle>({ name: 'postgres', report, start });
  servers.push(kept);
  report(progressLine('postgres', `ready  127.0.0.1:${port}`));
  return kept.current()!.url;
}

async function addRedis(
  { env, report, preferredPorts, redisSettings: settings, mayInstall, signal }: StackOptions,
  dataDir: string,
  servers: { stop(): Promise<void> }[],
): Promise<string> {
  const server = await findRedisServer({ env, report, mayInstall });
  const options = {
    dataDir: join(dataDir, 'redis'),
    server,
    preferredPort: preferredPorts?.redis,
    settings,
  };
  let port: number | undefined;
  const start = async (unwanted: AbortSignal) => {
    // A server that dies during the stop is started again: the writer still drains.
    const signals = signal === undefined || port !== undefined ? [unwanted] : [unwanted, signal];
    const run = await startRedis({ ...options, port, signal: AbortSignal.any(signals) });
    port = run.port;
    return run;
  };
  const kept = await keepRunning<RedisHandle>({ name: 'redis', report, start });
  servers.push(kept);
  report(progressLine('redis', `ready  127.0.0.1:${port}${server.kind === 'docker' ? ' (in Docker)' : ''}`));
  return kept.current()!.url;
}

/** Stops daemons of an earlier run, whose ports must be free. Postgres and Redis stop their own at their start. */
async function stopLeftovers(dataDir: string, report: (line: string) => void): Promise<void> {
  const found = await Promise.all(
    DAEMONS.map(async (name) => ({
      name,
      stopped: await stopOrphanedDaemon(daemonPaths(dataDir, name)),
    })),
  );
  for (const { name, stopped } of found) if (stopped) report(progressLine(name, 'of an earlier run has stopped'));
}

function daemonPaths(dataDir: string, name: DaemonName): { main: string; logFile: string; pidFile: string } {
  return {
    main: join(REPOSITORY, 'packages', name, 'src', 'main.ts'),
    logFile: join(dataDir, 'logs', `${name}.log`),
    pidFile: join(dataDir, 'run', `${name}.pid`),
  };
}
