import type { Redis } from 'ioredis';
import type { Admission } from '@sluice/accept/limits/admission';
import type { CheckableQueue } from '@sluice/accept/queue';
import type { StoredKeys } from '@sluice/access/stored-keys';
import type { CheckResult, HealthCheck } from '@sluice/daemon/http/health';
import type { Backlog } from '@sluice/stream/backlog-meter';
import { redisCheck } from '@sluice/stream/redis-check';
import type { IngestConfig } from './config.ts';

/** The checks of `/health` and `/ready`. Postgres is not one of them: ingest works without it. */
export function ingestChecks(parts: {
  redis: Redis;
  queue: CheckableQueue;
  admission: Admission;
  config: IngestConfig;
  storedKeys: StoredKeys;
}): HealthCheck[] {
  const { redis, queue, admission, config, storedKeys } = parts;
  const { open } = config.configuredKeys;
  return [
    redisCheck(redis, {
      work: () => queue.tryAdding(),
      lastFailure: () => queue.lastFailure,
      detail: () => ({ version: queue.settings?.version }),
    }),
    {
      name: 'durability',
      critical: false,
      run: () => ({
        ok: queue.plan.level === config.DURABILITY,
        detail: { wanted: config.DURABILITY, reached: queue.plan.level, warning: queue.plan.warning },
      }),
    },
    {
      name: 'eviction',
      critical: false,
      run: () => {
        const policy = queue.settings?.maxmemoryPolicy ?? 'unknown';
        return {
          ok: policy === 'noeviction' || queue.settings?.readable === false,
          detail: { maxmemory_policy: policy },
        };
      },
    },
    {
      name: 'authentication',
      critical: false,
      run: () => ({
        ok: !open,
        detail: open ? { warning: 'runs open: no API key is configured' } : { stored_keys_known: storedKeys.known },
      }),
    },
    {
      name: 'queue',
      critical: false,
      run: () => checkQueue(admission.backlog),
    },
  ];
}

function checkQueue(backlog: Backlog | null): CheckResult {
  if (backlog === null) return { ok: false, detail: { error: 'the backlog cannot be measured' } };
  return {
    ok: true,
    detail: {
      entries: backlog.entries,
      bytes: backlog.bytes,
      oldest_age_seconds: backlog.ageSeconds,
      drain_rate_per_second: backlog.busyDrainRate,
      redis_used_memory_bytes: backlog.usedMemory,
      redis_max_memory_bytes: backlog.maxMemory,
    },
  };
}
