import { Counter, Gauge } from 'prom-client';
import type { Metrics } from '@sluice/daemon/telemetry/metrics';
import type { BacklogMeter } from '@sluice/stream/backlog-meter';
import type { RedisMemory } from '@sluice/stream/redis-memory';
import type { ShardStatus } from './queue/read-queue.ts';
import type { LiveTail } from './tail/live-tail.ts';

/** How long one reading of Redis is reused, in milliseconds, so that a second Prometheus costs nothing. */
const FRESH_MS = 1_000;

/** One reading of Redis. */
export interface RedisState {
  readonly shards: readonly ShardStatus[];
  readonly memory: RedisMemory;
}

/** The sources of the metrics. */
export interface QueryMetricsSources {
  /** Reads Redis. Rejects while Redis is unreachable or does not answer in time. */
  readonly readRedis: () => Promise<RedisState>;
  readonly backlogMeter: BacklogMeter;
  readonly liveTail: LiveTail;
}

/** A number of one shard; null when unknown. */
type OfShard = (shard: ShardStatus) => number | null;

/**
 * Defines the metrics of the query API: queue and Redis for the whole installation, and its own live tails. Each scrape
 * reads Redis. While Redis is unreachable its metrics are left out: an old number would look healthy during the whole
 * outage.
 */
export function createQueryMetrics(registry: Metrics, sources: QueryMetricsSources): void {
  const registers = [registry];
  const redis = keptFor(FRESH_MS, async () => sources.readRedis().catch(() => null));

  function shardGauge(name: string, help: string, valueOf: OfShard): void {
    new Gauge({
      name,
      help,
      labelNames: ['shard'],
      registers,
      async collect() {
        const state = await redis();
        this.reset();
        for (const { shard, value } of valuesOf(state, valueOf)) this.set({ shard }, value);
      },
    });
  }
  shardGauge('sluice_queue_entries', 'Entries in the stream.', ({ length }) => length);
  shardGauge('sluice_queue_bytes', 'Memory of the stream in Redis.', ({ bytes }) => bytes);
  shardGauge(
    'sluice_queue_oldest_age_seconds',
    'Age of the oldest entry; 0 for an empty stream.',
    ({ oldest_age_seconds: age }) => age ?? 0,
  );
  shardGauge(
    'sluice_queue_pending_entries',
    'Entries that a writer has read and not acknowledged.',
    ({ pending }) => pending,
  );
  shardGauge('sluice_queue_lag_entries', 'Entries that no writer has read.', ({ lag }) => lag);
  shardGauge(
    'sluice_queue_drift_entries',
    'Entries added, minus settled, minus waiting, since the first was settled: not 0 when some left by another way than a COMMIT.',
    ({ conservation }) => conservation.entries.drift,
  );
  shardGauge(
    'sluice_queue_drift_events',
    'Events acknowledged with settled entries, minus stored, duplicate and dead ones: not 0 when one is missing.',
    ({ conservation }) => conservation.events.drift,
  );

  function shardCounter(name: string, help: string, valueOf: OfShard): void {
    new Counter({
      name,
      help,
      labelNames: ['shard'],
      registers,
      async collect() {
        const state = await redis();
        this.reset();
        for (const { shard, value } of valuesOf(state, valueOf)) this.inc({ shard }, value);
      },
    });
  }
  shardCounter(
    'sluice_queue_entries_added_total',
    'Entries ever added, as Redis counts them.',
    ({ conservation }) => conservation.entries.added,
  );
  shardCounter(
    'sluice_queue_entries_settled_total',
    'Entries ever acknowledged after their COMMIT.',
    ({ conservation }) => conservation.entries.settled,
  );
  new Counter({
    name: 'sluice_queue_events_settled_total',
    help: 'Events of settled entries, by what became of them.',
    labelNames: ['shard', 'outcome'],
    registers,
    async collect() {
      const state = await redis();
      this.reset();
      for (const outcome of ['stored', 'duplicate', 'dead'] as const) {
        const values = valuesOf(state, ({ conservation }) => conservation.events[outcome]);
        // When several shards share a transaction, these are estimates. A counter refuses a negative one.
        for (const { shard, value } of values) this.inc({ shard, outcome }, Math.max(0, value));
      }
    },
  });

  function plainGauge(name: string, help: string, valueOf: (state: RedisState) => number | null): void {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const state = await redis();
        const value = state === null ? null : valueOf(state);
        if (value === null) this.remove();
        else this.set(value);
      },
    });
  }
  plainGauge(
    'sluice_queue_drain_entries_per_second',
    'Entries that leave the streams per second.',
    () => sources.backlogMeter.backlog?.drainRate ?? null,
  );
  plainGauge('sluice_redis_used_memory_bytes', 'Memory that Redis uses.', ({ memory }) => memory.used);
  plainGauge('sluice_redis_max_memory_bytes', 'Limit of the memory of Redis; 0 for none.', ({ memory }) => memory.max);

  new Gauge({
    name: 'sluice_tail_readers',
    help: 'Live tails that are open.',
    registers,
    collect() {
      this.set(sources.liveTail.readers);
    },
  });
}

/** The known values, each with its shard. Streams without a shard number are left out. */
function valuesOf(state: RedisState | null, valueOf: OfShard): { shard: string; value: number }[] {
  return (state?.shards ?? []).flatMap((each) => {
    const value = valueOf(each);
    return each.shard === null || value === null ? [] : [{ shard: String(each.shard), value }];
  });
}

/** Reads again once the last reading is older than `ms`. Callers in between share that reading. */
function keptFor<T>(ms: number, read: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly reading: Promise<T> } | null = null;
  return () => {
    if (last === null || performance.now() - last.at >= ms) last = { at: performance.now(), reading: read() };
    return last.reading;
  };
}
