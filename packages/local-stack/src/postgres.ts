import { closeSync } from 'node:fs';
import { mkdir, realpath } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { describeExit, endsWithin, exitOf } from './child-exit.ts';
import type { Exit } from './child-exit.ts';
import { freePort } from './free-port.ts';
import { logLength, logSince, openLog } from './log-file.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { createCluster, stopOrphanedPostgres } from './postgres-cluster.ts';
import { unprivilegedUser } from './run-unprivileged.ts';
import type { UnprivilegedUser } from './run-unprivileged.ts';

const MiB = 1024 * 1024;
/** Recovery after a crash replays up to max_wal_size before the first connection is accepted. */
const READY_WITHIN_MS = 120_000;
/** After this long, the reason of the wait is reported. */
const TELL_AFTER_MS = 10_000;
const FAST_STOP_WITHIN_MS = 60_000;
const LAUNCH_ATTEMPTS = 10;
const USER = 'sluice';
const DATABASE = 'sluice';

export interface PostgresOptions {
  /** The folder of the cluster, its password and its log; made if missing, reused by later runs. */
  dataDir: string;
  /** On 127.0.0.1; without it, `preferredPort` when that is free, else any free one. */
  port?: number | undefined;
  preferredPort?: number | undefined;
  /** Server settings by name, over the defaults: `{ fsync: 'off' }`. */
  settings?: Record<string, string> | undefined;
  /** Gives up a start that is under way; what was started is stopped. */
  signal?: AbortSignal | undefined;
  /** Given each new reason why the server is not ready after ten seconds. */
  report?: ((reason: string) => void) | undefined;
}

export interface PostgresHandle {
  /** Of the database `sluice`, as its superuser, password included. */
  url: string;
  port: number;
  /** The postmaster's. */
  pid: number;
  dataDir: string;
  /**
   * `fast` (default) ends connections and writes a checkpoint. `immediate` is a crash, from which the next start
   * recovers. Resolves when the server is gone. May be called again, also to turn a `fast` into an `immediate`.
   */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  /** Resolves when the server ends, for any reason. */
  exited: Promise<Exit>;
}

/**
 * Starts PostgreSQL from the binaries of the npm package and resolves when it has accepted a connection to the
 * database `sluice`. The server has its own process group, so that a terminal's Ctrl-C does not stop it before the
 * daemons have written everything. A server that a killed supervisor left on the same data is stopped first.
 * Throws with the end of the server's log when it does not start.
 */
export async function startPostgres({
  dataDir,
  port,
  preferredPort,
  settings = {},
  signal,
  report,
}: PostgresOptions): Promise<PostgresHandle> {
  const binaries = await findPostgresBinaries();
  const user = await unprivilegedUser();
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const folder = await realpath(dataDir);
  await user.own(folder);
  await stopOrphanedPostgres(folder);
  const cluster = await createCluster({ folder, binaries, user, superuser: USER });
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await launch({
        folder,
        cluster,
        binaries,
        user,
        settings,
        signal,
        report,
        port: port ?? (await freePort(preferredPort)),
      });
    } catch (error) {
      const { message } = error as Error;
      // Another process can take a port after we found it free and before Postgres binds it. The backends of a
      // killed postmaster need a moment to notice that and release its shared memory. Until init has collected
      // such a postmaster, its lock file counts too.
      const passes =
        (port === undefined && message.includes('could not bind')) ||
        /is still in use|lock file "postmaster.pid" already exists/.test(message);
      if (!passes || attempt === LAUNCH_ATTEMPTS) throw error;
      await delay(200);
    }
  }
}

interface Launch {
  folder: string;
  cluster: { folder: string; password: string };
  binaries: PostgresBinaries;
  user: UnprivilegedUser;
  settings: Record<string, string>;
  port: number;
  signal: PostgresOptions['signal'];
  report: PostgresOptions['report'];
}

async function launch({ folder, cluster, binaries, user, settings, port, ...wait }: Launch): Promise<PostgresHandle> {
  const log = join(folder, 'postgres.log');
  const logDescriptor = openLog(log);
  const logStart = logLength(log);
  const allSettings = Object.entries({ ...defaultSettings(), ...settings, port: String(port) });
  const child = user.spawn(
    binaries.postgres,
    ['-D', cluster.folder, ...allSettings.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    {
      detached: true,
      cwd: folder,
      stdio: ['ignore', logDescriptor, logDescriptor],
      env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
    },
  );
  closeSync(logDescriptor);
  const exited = exitOf(child);

  let stopping: 'fast' | 'immediate' | undefined;
  const stop = async (mode: 'fast' | 'immediate' = 'fast'): Promise<void> => {
    if (!stopping || (stopping === 'fast' && mode === 'immediate')) {
      stopping = mode;
      child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    }
    if (!(await endsWithin(exited, FAST_STOP_WITHIN_MS))) child.kill('SIGQUIT');
    await exited.catch(() => {});
  };

  const urlOf = (database: string) => `postgres://${USER}:${cluster.password}@127.0.0.1:${port}/${database}`;
  try {
    await untilConnected({
      url: urlOf('postgres'),
      exited,
      lastLog: () => logSince(log, logStart),
      ...wait,
    });
  } catch (error) {
    await stop('immediate');
    throw error;
  }
  return { url: urlOf(DATABASE), port, pid: child.pid!, dataDir: folder, stop, exited };
}

function defaultSettings(): Record<string, string> {
  // constrainedMemory() is a container's limit; without one it answers 0 or something absurdly large.
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return {
    listen_addresses: '127.0.0.1',
    // A socket file would be another way in, guarded only by its folder's permissions; and paths over 107 bytes fail.
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: `${Math.max(16, Math.floor(Math.min(1024 * MiB, memory / 4) / MiB))}MB`,
    max_wal_size: '4GB',
    timezone: 'UTC',
    log_timezone: 'UTC',
  };
}

/** Waits for a connection that the server's own password opens: that proves it is up, and not another on that port. */
async function untilConnected({
  url,
  exited,
  lastLog,
  signal,
  report,
}: {
  url: string;
  exited: Promise<Exit>;
  lastLog: () => string;
} & Pick<PostgresOptions, 'signal' | 'report'>): Promise<void> {
  let ended: Exit | undefined;
  void exited.then(
    (exit) => (ended = exit),
    () => (ended = { code: null, signal: null }),
  );
  const startedAt = Date.now();
  let told = '';
  for (;;) {
    signal?.throwIfAborted();
    // The cluster has no TLS, whatever PGSSLMODE asks of other servers.
    const client = new Client({ connectionString: url, ssl: false, connectionTimeoutMillis: 5_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
      if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
      return;
    } catch (error) {
      if (ended)
        throw new Error(`Postgres ended at start (${describeExit(ended)}):\n${lastLog()}`, {
          cause: error,
        });
      const { message } = error as Error;
      if (Date.now() > startedAt + TELL_AFTER_MS && message !== told) {
        told = message;
        report?.(`not ready yet: ${message}`);
      }
      if (Date.now() > startedAt + READY_WITHIN_MS)
        throw new Error(`Postgres was not ready in ${READY_WITHIN_MS / 1000} s:\n${lastLog()}`, {
          cause: error,
        });
    } finally {
      await client.end().catch(() => {});
    }
    await delay(25);
  }
}
