import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';

const ASK_EVERY_MS = 50;

/** Waits until Redis has finished rewriting its append-only file: the growth by one load must not cost the next. */
export async function untilRewritten(redis: Redis, signal: AbortSignal): Promise<void> {
  while (/aof_rewrite_(?:in_progress|scheduled):1/.test(await redis.info('persistence')))
    await delay(ASK_EVERY_MS, undefined, { signal });
}
