import type { Redis } from 'ioredis';
import { messageOf } from '@sluice/errors/message-of';
import type { Durability } from '@sluice/events/durability-levels';

export { DURABILITY_LEVELS, type Durability } from '@sluice/events/durability-levels';

/** Redis's settings that decide what an acknowledged write survives. */
export interface RedisSettings {
  readonly version: string;
  /** False when this user may not run CONFIG GET; the other fields are then unknown. */
  readonly readable: boolean;
  readonly appendonly: boolean;
  readonly appendfsync: string;
  readonly noAppendfsyncOnRewrite: boolean;
  readonly maxmemory: number;
  readonly maxmemoryPolicy: string;
}

/** How to reach a level on a server: nothing to do, or a WAITAOF after each write. */
export interface DurabilityPlan {
  /** The level that is really reached; each 202 states it. */
  readonly level: Durability;
  /** WAITAOF numlocal numreplicas; null when the server fsyncs before it answers, or the level needs no wait. */
  readonly waitAof: { readonly local: number; readonly replicas: number } | null;
  /** What an operator should know: `level` is lower than configured, or slow to reach. */
  readonly warning: string | null;
}

/** Reads the server's settings. A user that may not run INFO or CONFIG GET gets `readable: false`, not an error. */
export async function readRedisSettings(redis: Redis): Promise<RedisSettings> {
  let version = '0';
  const values = new Map<string, string>();
  try {
    version = /redis_version:([\d.]+)/.exec(await redis.info('server'))?.[1] ?? version;
    for (const name of ['appendonly', 'appendfsync', 'no-appendfsync-on-rewrite', 'maxmemory', 'maxmemory-policy']) {
      const reply = await redis.config('GET', name);
      if (reply[1] !== undefined) values.set(name, reply[1]);
    }
  } catch (error) {
    if (!/^(?:NOPERM|ERR) /.test(messageOf(error))) throw error;
  }
  return {
    version,
    readable: values.size > 0,
    appendonly: values.get('appendonly') === 'yes',
    appendfsync: values.get('appendfsync') ?? 'unknown',
    noAppendfsyncOnRewrite: values.get('no-appendfsync-on-rewrite') === 'yes',
    maxmemory: Number(values.get('maxmemory') ?? 0),
    maxmemoryPolicy: values.get('maxmemory-policy') ?? 'unknown',
  };
}

/**
 * Decides what a 202 may promise: never more than the server's settings give.
 *
 * @param replicas how many replicas must have an entry on disk for `replicated`
 */
export function planDurability(wanted: Durability, settings: RedisSettings, replicas: number): DurabilityPlan {
  if (wanted === 'memory') return { level: 'memory', waitAof: null, warning: null };
  if (!settings.readable) return lower('memory', wanted, 'Redis does not let this user read its settings (CONFIG GET)');
  if (!settings.appendonly) return lower('memory', wanted, 'Redis keeps no append-only file (appendonly no)');
  // WAITAOF would wait for an fsync that only the kernel starts, for half a minute or more.
  if (settings.appendfsync === 'no')
    return lower('memory', wanted, 'Redis leaves fsync to the kernel (appendfsync no)');
  const hasWaitAof = atLeast(settings.version, 7, 2);
  const fsyncsBeforeReply = settings.appendfsync === 'always' && !settings.noAppendfsyncOnRewrite;
  if (wanted === 'replicated' && hasWaitAof)
    return { level: 'replicated', waitAof: { local: 1, replicas }, warning: null };
  if (fsyncsBeforeReply) {
    return wanted === 'fsync'
      ? { level: 'fsync', waitAof: null, warning: null }
      : lower('fsync', wanted, 'Redis is older than 7.2 and has no WAITAOF');
  }
  if (hasWaitAof) {
    const warning = 'Every 202 waits for an fsync of Redis, up to two seconds: set appendfsync always';
    return { level: 'fsync', waitAof: { local: 1, replicas: 0 }, warning };
  }
  const reason = settings.noAppendfsyncOnRewrite
    ? 'no-appendfsync-on-rewrite yes'
    : `appendfsync ${settings.appendfsync}`;
  return lower('memory', wanted, `Redis answers before its disk has the write (${reason})`);
}

function lower(level: Durability, wanted: Durability, reason: string): DurabilityPlan {
  return { level, waitAof: null, warning: `DURABILITY=${wanted} is not reached: ${reason}. 202s say "${level}".` };
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}
