import { closeSync } from 'node:fs';
import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describeExit, endsWithin, exitOf } from './child-exit.ts';
import type { Exit } from './child-exit.ts';
import type { RedisServer } from './find-redis.ts';
import { freePort } from './free-port.ts';
import { logLength, logSince, openLog } from './log-file.ts';
import { dockerRedis } from './redis-in-docker.ts';
import type { RedisLauncher } from './redis-launcher.ts';
import { redisPassword, writeRedisConfig } from './redis-password.ts';
import { pingRedis } from './redis-ping.ts';
import { programRedis } from './redis-program.ts';

/** Loading a large append-only file takes time, during which Redis answers LOADING to a PING. */
const READY_WITHIN_MS = 120_000;
const STOP_WITHIN_MS = 30_000;
const LAUNCH_ATTEMPTS = 5;

export interface RedisOptions {
  /** The folder of the append-only file and the log; made if missing, reused by later runs. */
  dataDir: string;
  /** What `findRedisServer` found. */
  server: RedisServer;
  /** On 127.0.0.1; without it, `preferredPort` when that is free, else any free one. */
  port?: number | undefined;
  preferredPort?: number | undefined;
  /** Configuration by name, over the defaults: `{ maxmemory: '64mb' }`; a `requirepass` in place of the stored one. */
  settings?: Record<string, string> | undefined;
  /** Abandons the start, after stopping what it had started. */
  signal?: AbortSignal | undefined;
}

export interface RedisHandle {
  /** Password included. */
  url: string;
  port: number;
  /** The server's; in Docker that of the client that waits for it. */
  pid: number;
  /** Ends it in order (SIGTERM) and resolves when it is gone. May be called again. */
  stop(): Promise<void>;
  /** Resolves when the server ends, for any reason. */
  exited: Promise<Exit>;
}

/**
 * The settings that make a 202 true. Every write is on disk before it is answered, also while the file is being
 * rewritten, and a full Redis refuses writes instead of dropping entries.
 */
const DURABLE_SETTINGS = {
  appendonly: 'yes',
  appendfsync: 'always',
  'no-appendfsync-on-rewrite': 'no',
  'maxmemory-policy': 'noeviction',
  save: '',
};

/**
 * Larger nodes of the stream waste less of their last page. With 4 KiB, Redis's default, a waiting edit takes 194 bytes in
 * batches of 10 and 755 alone, with 16 KiB 169 and 651; batches of 500 are larger than either.
 */
const SPARING_SETTINGS = { 'stream-node-max-bytes': '16384' };

/**
 * Starts a Redis in its own process group and resolves when it has loaded its data and answers PONG. It listens on
 * 127.0.0.1 only, and asks for the password of its folder. A Redis that a killed supervisor left on the same data is stopped first. Throws with the end of the
 * log when it does not start.
 */
export async function startRedis({
  dataDir,
  server,
  port,
  preferredPort,
  settings: { requirepass, ...settings } = {},
  signal,
}: RedisOptions): Promise<RedisHandle> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const folder = await realpath(dataDir);
  const launcher = server.kind === 'docker' ? dockerRedis(folder, server.image) : programRedis(folder, server.path);
  await launcher.stopOrphan();
  const password = requirepass ?? (await redisPassword(folder));
  await writeRedisConfig(folder, password);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await launch({
        folder,
        launcher,
        settings: { ...DURABLE_SETTINGS, ...SPARING_SETTINGS, ...settings },
        port: port ?? (await freePort(preferredPort)),
        password,
        signal,
      });
    } catch (error) {
      // Another process can take a port after we found it free and before Redis binds it.
      const passes = port === undefined && /already in use|already allocated/.test((error as Error).message);
      if (!passes || attempt === LAUNCH_ATTEMPTS) throw error;
    }
  }
}

interface Launch {
  folder: string;
  launcher: RedisLauncher;
  settings: Record<string, string>;
  port: number;
  password: string;
  signal: AbortSignal | undefined;
}

async function launch({ folder, launcher, settings, port, password, signal }: Launch): Promise<RedisHandle> {
  const log = join(folder, 'redis.log');
  const logDescriptor = openLog(log);
  const logStart = logLength(log);
  const child = launcher.spawn(port, settings, logDescriptor);
  closeSync(logDescriptor);
  const exited = exitOf(child);

  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    if (!(await endsWithin(exited, STOP_WITHIN_MS))) child.kill('SIGKILL');
    await exited.catch(() => {});
  };

  let ended: Exit | undefined;
  void exited.then(
    (exit) => (ended = exit),
    () => (ended = { code: null, signal: null }),
  );
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const info = await pingRedis(port, password).catch(() => undefined);
    if (info && launcher.isOurs(info, child))
      return { url: `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}`, port, pid: child.pid!, stop, exited };
    if (ended) throw new Error(`Redis ended at start (${describeExit(ended)}):\n${logSince(log, logStart)}`);
    if (signal?.aborted) {
      await stop();
      signal.throwIfAborted();
    }
    if (Date.now() > deadline) {
      await stop();
      throw new Error(`Redis was not ready in ${READY_WITHIN_MS / 1000} s:\n${logSince(log, logStart)}`);
    }
    await delay(20);
  }
}
