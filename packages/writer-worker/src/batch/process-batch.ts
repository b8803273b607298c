import type { Redis } from 'ioredis';
import { backoffDelay, type Backoff } from '@sluice/daemon/retry/backoff';
import { retry } from '@sluice/daemon/retry/retry';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import type { Database } from '@sluice/store/database';
import { classifyFailure, isServerAway, mayBeRowError } from '@sluice/store/write/failure-policy';
import { isolatePoison } from '@sluice/store/write/isolate-poison';
import type { KnownIds } from '@sluice/store/write/known-ids';
import { writeEvents, type Written } from '@sluice/store/write/write-events';
import type { BatchObserver } from '../watch/batch-observer.ts';
import type { Batch } from './batch-buffer.ts';
import type { Breaker } from './breaker.ts';
import type { Outcome } from './outcome.ts';
import { endStall, waitForOperator } from './set-aside.ts';
import { settleBatch } from './settle-batch.ts';

/**
 * Stores a batch, then settles it. Returns when the batch is stored and acknowledged, or when the deadline has come.
 *
 * @param stored called once the transaction has ended, before it is acknowledged: another one may begin
 */
export async function processBatch(
  batch: Batch,
  context: ProcessContext,
  stored: () => void = () => {},
): Promise<Outcome> {
  const { observer } = context;
  return observer.batch(batch, async () => {
    const takenAt = performance.now();
    const stall: Stall = { since: null };
    const written = await storeUntilCommitted(batch, context, stall).finally(stored);
    if (written === null) return { kind: 'abandoned' };
    observer.committed(batch, written, takenAt);
    const settled = await settleUntilTaken(batch, written, context);
    if (settled && stall.since !== null) await endStall(context.redis, batch.entries);
    return { kind: settled ? 'settled' : 'unsettled', written };
  });
}

/** Connections, observers and stops, the same for all batches of a writer. */
export interface ProcessContext {
  readonly database: Database;
  /** What this writer knows of the ids in older segments. */
  readonly known: KnownIds;
  /** For commands that answer at once. */
  readonly redis: Redis;
  readonly breaker: Breaker;
  readonly observer: BatchObserver;
  /** Name of this writer. */
  readonly consumer: string;
  /** The stop has begun: a stalled batch is given up. */
  readonly stopFetching: AbortSignal;
  /** The deadline: ends all tries. */
  readonly stopWorking: AbortSignal;
}

/** Since when a batch has been stalled, ISO 8601; null when it never was. */
interface Stall {
  since: string | null;
}

/** Waits between tries of a statement that failed with a transient error of its own. */
const TRANSIENT_BACKOFF: Backoff = { initialMs: 50, maxMs: 5_000 };
/** Waits between tries while an operator has to act: short enough to notice the repair soon. */
const STALLED_BACKOFF: Backoff = { initialMs: 1_000, maxMs: 30_000 };

/**
 * Tries until the batch is stored. The class of a failure decides what follows:
 * - a row error: isolate the bad events;
 * - a server that is away: wait at the breaker;
 * - a transient error: try again after a backoff;
 * - an operator error: stall, and try again until an operator has acted.
 *
 * A commit whose outcome is unknown is run again too: unique ids make that safe.
 *
 * @returns null when the stop came first
 */
async function storeUntilCommitted(batch: Batch, context: ProcessContext, stall: Stall): Promise<Written | null> {
  const { breaker, observer, redis, consumer, stopFetching, stopWorking } = context;
  let { entries } = batch;
  let isolate = batch.entries.some((entry) => entry.unreadable !== null);
  if (isolate) observer.isolating();
  let waits = 0;
  for (let attempt = 1; ; attempt += 1) {
    await breaker.pass();
    if (stopWorking.aborted) return null;
    try {
      const written = await storeOnce({ ...batch, entries }, context, { isolate, attempt });
      breaker.answered();
      return written;
    } catch (error) {
      if (stopWorking.aborted) return null;
      const failure = classifyFailure(error);
      if (isServerAway(failure)) {
        breaker.failed();
        observer.retrying(batch, failure);
        continue;
      }
      breaker.answered();
      if ((failure.kind === 'row' || mayBeRowError(error)) && !isolate) {
        isolate = true;
        observer.isolating(failure);
        continue;
      }
      waits += 1;
      if (failure.kind === 'transient') {
        observer.retrying(batch, failure);
        await waitOrAbort(backoffDelay(TRANSIENT_BACKOFF, waits), stopWorking);
      } else {
        observer.stalled(batch, failure);
        const since = (stall.since ??= new Date().toISOString());
        const delayMs = backoffDelay(STALLED_BACKOFF, waits);
        const before = entries;
        entries = await waitForOperator(redis, entries, { failure, consumer, since, delayMs, stop: stopFetching });
        if (stopFetching.aborted) return null;
        if (entries !== before) {
          observer.setAside(entries.filter(({ setAside }) => setAside !== undefined));
          isolate = true;
        }
      }
    }
  }
}

/** One transaction. */
function storeOnce(
  batch: Batch,
  { database, known, observer, stopWorking }: ProcessContext,
  { isolate, attempt }: { isolate: boolean; attempt: number },
): Promise<Written> {
  const { entries } = batch;
  if (isolate)
    return observer.step('isolate events', batch, attempt, (moved) =>
      isolatePoison(database, entries, undefined, moved),
    );
  return observer.step('write events', batch, attempt, (moved) =>
    writeEvents(database, entries, { known, stop: stopWorking, moved }),
  );
}

/** @returns whether Redis accepted the acknowledgement before the deadline */
async function settleUntilTaken(
  batch: Batch,
  written: Written,
  { redis, observer, stopWorking }: ProcessContext,
): Promise<boolean> {
  const settle = async (attempt: number): Promise<true> => {
    await observer.step('settle events', batch, attempt, () => settleBatch(redis, batch.entries, written));
    observer.settled();
    return true;
  };
  const settled = await retry(settle, {
    backoff: TRANSIENT_BACKOFF,
    signal: stopWorking,
    onFailure: (error, attempt) => observer.notSettled(error, attempt),
  });
  return settled ?? false;
}
