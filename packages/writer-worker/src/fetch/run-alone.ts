import type { Redis } from 'ioredis';
import type { Logger } from '@sluice/daemon/log/logger';
import { type DecodedEntry, decodeEntry, type RawEntry, unreadableEntry } from '@sluice/store/write/decode-entry';
import { replayOfEntry } from '@sluice/stream/stream-entry';
import type { Batch } from '../batch/batch-buffer.ts';
import type { Outcome } from '../batch/outcome.ts';

/** Marks an entry that crashed its readers as unreadable: it becomes a dead letter with its bytes. */
class KillsReaderError extends Error {
  readonly code = 'kills_reader';
}

/**
 * Runs an entry that was delivered too often, with nothing else in work. It first notes the trial in Redis. A note that
 * is there already proves that a writer crashed on the entry while it ran alone and Postgres was healthy; then the entry
 * becomes a dead letter. Restarts in an outage raise the delivery count of healthy entries too; those are stored here.
 */
export async function runAlone(entry: RawEntry, options: TrialOptions): Promise<Outcome> {
  const { redis, logger } = options;
  await options.postgresAnswers();
  const trials = `${entry.key}:trials`;
  const convicted = (await redis.hsetnx(trials, entry.id, new Date().toISOString())) === 0;
  if (convicted)
    logger.error({ entry: entry.id, shard: entry.key }, 'an entry killed its reader again; it becomes a dead letter');
  else logger.warn({ entry: entry.id, shard: entry.key }, 'an entry was delivered too often; it is run alone');
  const decoded: DecodedEntry = convicted
    ? {
        ...unreadableEntry(entry, new KillsReaderError('its readers died of it')),
        bytes: 0,
        replayOf: replayOfEntry(entry.fields),
        decoding: { from: performance.now(), to: performance.now() },
      }
    : decodeEntry(entry);
  const outcome = await options.process({ entries: [decoded], eventCount: decoded.events.length });
  await redis.hdel(trials, entry.id);
  return outcome;
}

/** What a trial works with. */
export interface TrialOptions {
  readonly redis: Redis;
  readonly logger: Logger;
  /** Resolves once Postgres answers: a writer that dies in an outage proves nothing about the entry. */
  readonly postgresAnswers: () => Promise<void>;
  readonly process: (batch: Batch) => Promise<Outcome>;
}
