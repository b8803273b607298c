import type { Redis } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { Outage } from '@sluice/daemon/log/outage';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import type { Database } from '@sluice/store/database';
import { prepareUntilReady } from '@sluice/store/prepare-until-ready';
import { decodeEntry, type RawEntry } from '@sluice/store/write/decode-entry';
import { waitForRedis } from '@sluice/stream/connect-redis';
import { createGroups, FIND_SHARDS_MS, findShards } from '@sluice/stream/consumer-group';
import type { Batch, BatchBuffer, BatchLimits } from '../batch/batch-buffer.ts';
import type { Outcome } from '../batch/outcome.ts';
import { Permits } from '../batch/permits.ts';
import type { Progress } from '../watch/progress.ts';
import type { WriterMetrics } from '../watch/writer-metrics.ts';
import type { WriterState } from '../watch/writer-state.ts';
import { consumeShard, type ShardOptions } from './consume-shard.ts';
import { FetchGate } from './fetch-gate.ts';
import { SuspectRunner } from './suspect-runner.ts';

/** How long to wait for a new connection before reporting Redis as unavailable, in milliseconds. */
const CONNECT_MS = 2_000;

/** What is failing in Redis when no shard can be found, or its group cannot be made. */
const FINDING = 'finding shards';

interface Reading extends Pick<ShardOptions, 'room' | 'accept' | 'suspect'> {
  readonly holds: (entry: Pick<RawEntry, 'key' | 'id'>) => boolean;
}

/** Waits for Postgres, brings its schema up to date, then consumes. Resolves when consuming has ended. */
export async function consumeWhenReady(
  database: Database,
  options: ConsumerOptions & { readonly onReady: () => Promise<void> },
): Promise<void> {
  const { logger, state, stopFetching } = options;
  const isReady = await prepareUntilReady(database, logger, stopFetching, (failure) => (state.notReady = failure));
  if (!isReady) return;
  state.notReady = null;
  state.databaseReady = true;
  await options.onReady();
  await consume(options);
}

/**
 * The writer's loop: read → decode → merge or linger → process (write, settle), with `concurrency` transactions in
 * flight. Resolves after `stopFetching`, when everything that was fetched has ended.
 */
export async function consume(options: ConsumerOptions): Promise<void> {
  const { state, buffer, stopFetching } = options;
  // Migrating before this may have taken long.
  options.progress.moved();
  /** Entries between being read and being settled; the same id may be read again meanwhile. */
  const inWork = new Set<string>();
  const suspects = new SuspectRunner({ ...options, isIdle: () => inWork.size === 0 });
  const gate = new FetchGate({
    maxEvents: options.limits.maxEvents * (options.concurrency + 2),
    maxBytes: options.limits.maxBytes * (options.concurrency + 2),
    held: () => ({ events: buffer.events, bytes: buffer.bytes }),
    isShut: () => suspects.size > 0 || options.isShut(),
    stopFetching,
  });
  /** Entries of reads that had begun before there was a suspect. While there is one, nothing else is even decoded. */
  const heldBack: RawEntry[] = [];

  const accept = (entry: RawEntry): void => {
    if (inWork.has(idOf(entry)) || suspects.has(idOf(entry))) return;
    if (suspects.size > 0) {
      heldBack.push(entry);
      return;
    }
    const decoded = decodeEntry(entry);
    inWork.add(idOf(entry));
    gate.observe(decoded.events.length, decoded.bytes);
    buffer.push(decoded);
  };
  const suspect = (entry: RawEntry): void => {
    if (!inWork.has(idOf(entry))) suspects.add(idOf(entry), entry);
  };
  suspects.onDone(() => {
    if (suspects.size === 0 && !stopFetching.aborted) heldBack.splice(0).forEach(accept);
    gate.release();
  });

  // A committed batch gives its permit to the next one while Redis still makes the acknowledgement durable: with
  // `appendfsync always` that takes a tenth of the transaction's time.
  const transactions = new Permits(options.concurrency);
  const slots = Array.from({ length: options.concurrency * 2 }, async () => {
    for (;;) {
      const release = await transactions.take();
      const batch = await buffer.take();
      if (batch === null) return release();
      state.inFlight += 1;
      const outcome = await options.process(batch, release);
      // In any case: a permit that is not given back is lost for good.
      release();
      state.inFlight -= 1;
      reportOutcome(outcome, batch.entries.length, options.logger);
      for (const entry of batch.entries) inWork.delete(idOf(entry));
      suspects.changed();
      gate.release();
    }
  });

  const holds: Reading['holds'] = (entry) =>
    inWork.has(idOf(entry)) || suspects.has(idOf(entry)) || heldBack.some((held) => idOf(held) === idOf(entry));
  await readAllShards(options, { room: () => gate.room(), accept, suspect, holds });
  buffer.close();
  await Promise.all([...slots, suspects.ended()]);
}

/** Connections, limits and callbacks of the consumer. */
export interface ConsumerOptions {
  readonly redis: Redis;
  /** Opens a connection for one shard's blocking reads. */
  readonly openBlocking: (name: string) => Redis;
  readonly logger: Logger;
  readonly state: WriterState;
  readonly metrics: WriterMetrics;
  readonly progress: Progress;
  /** Between reading and transactions; cut by `limits`. */
  readonly buffer: BatchBuffer;
  readonly namespace: string;
  readonly shards: number;
  readonly consumer: string;
  readonly concurrency: number;
  readonly limits: BatchLimits;
  readonly reclaimIdleMs: number;
  readonly deliveryLimit: number;
  /** @param stored called when the transaction has ended and only the acknowledgement is left */
  readonly process: (batch: Batch, stored: () => void) => Promise<Outcome>;
  /** Runs one entry with nothing else in work. */
  readonly runAlone: (entry: RawEntry) => Promise<Outcome>;
  /** True while nothing may be fetched: the database is away, or a batch cannot be stored. */
  readonly isShut: () => boolean;
  /** First of the two stops: fetch nothing more, finish what was fetched. */
  readonly stopFetching: AbortSignal;
}

function idOf(entry: Pick<RawEntry, 'key' | 'id'>): string {
  return `${entry.key} ${entry.id}`;
}

/** Logs a batch that was not settled. */
function reportOutcome(outcome: Outcome, entries: number, logger: Logger): void {
  if (outcome.kind === 'settled') return;
  logger.warn({ outcome: outcome.kind, entries }, 'entries stay pending and are delivered again');
}

/** Starts a reader for each shard, also for shards that appear later. Resolves when all readers have ended. */
async function readAllShards(options: ConsumerOptions, reading: Reading): Promise<void> {
  const { redis, logger, stopFetching } = options;
  const readers = new Map<string, Promise<void>>();
  const outage = new Outage();
  await waitForRedis(redis, CONNECT_MS, stopFetching);
  while (!stopFetching.aborted) {
    try {
      if (readers.size === 0) await createGroups(redis, options.namespace, options.shards);
      for (const key of await findShards(redis, options.namespace, options.shards)) {
        if (!readers.has(key)) readers.set(key, readShard(key, options, reading));
      }
      options.state.redisFailures.worked(FINDING);
      outage.over();
      await waitOrAbort(FIND_SHARDS_MS, stopFetching);
    } catch (error) {
      const reason = outage.news(error);
      if (reason !== null) logger.warn({ error: reason }, 'shards not found; retrying');
      options.state.redisFailures.failed(FINDING, error);
      // Only while nothing is read yet: searching for shards is no sign that a reader works.
      if (readers.size === 0) options.progress.moved();
      await waitOrAbort(1_000, stopFetching);
    }
  }
  await Promise.all(readers.values());
}

async function readShard(key: string, options: ConsumerOptions, reading: Reading): Promise<void> {
  const blocking = options.openBlocking(key);
  // Cuts a blocked read short. Entries that Redis hands out at that very moment stay pending under this consumer's
  // name, and are read first at its next start.
  const cut = (): void => blocking.disconnect();
  options.stopFetching.addEventListener('abort', cut, { once: true });
  try {
    await waitForRedis(blocking, CONNECT_MS, options.stopFetching);
    await consumeShard({ ...options, ...reading, holds: (id) => reading.holds({ key, id }), key, blocking });
  } finally {
    options.stopFetching.removeEventListener('abort', cut);
    blocking.disconnect();
  }
}
