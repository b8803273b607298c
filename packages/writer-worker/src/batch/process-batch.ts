import type { Redis } from 'ioredis';
import { backoffDelay, type Backoff } from '@sluice/daemon/retry/backoff';
import { retry } from '@sluice/daemon/retry/retry';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import type { Database } from '@sluice/store/database';
import { classifyFailure, isServerAway } from '@sluice/store/write/failure-policy';
import { isolatePoison } from '@sluice/store/write/isolate-poison';
import { writeEvents, type Written } from '@sluice/store/write/write-events';
import type { BatchObserver } from '../watch/batch-observer.ts';
import type { Batch } from './batch-buffer.ts';
import type { Breaker } from './breaker.ts';
import type { Outcome } from './outcome.ts';
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
    const written = await storeUntilCommitted(batch, context).finally(stored);
    if (written === null) return { kind: 'abandoned' };
    observer.committed(batch, written, takenAt);
    const settled = await settleUntilTaken(batch, written, context);
    return { kind: settled ? 'settled' : 'unsettled', written };
  });
}

/** Connections, observers and stops, the same for all batches of a writer. */
export interface ProcessContext {
  readonly database: Database;
  /** For commands that answer at once. */
  readonly redis: Redis;
  readonly breaker: Breaker;
  readonly observer: BatchObserver;
  /** The stop has begun: a stalled batch is given up. */
  readonly stopFetching: AbortSignal;
  /** The deadline: ends all tries. */
  readonly stopWorking: AbortSignal;
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
 * A commit whose outcome is unknown is run again too: the ledger makes that safe.
 *
 * @returns null when the stop came first
 */
async function storeUntilCommitted(batch: Batch, context: ProcessContext): Promise<Written | null> {
  const { breaker, observer, stopFetching, stopWorking } = context;
  let isolate = batch.entries.some((entry) => entry.unreadable !== null);
  if (isolate) observer.isolating();
  let waits = 0;
  for (let attempt = 1; ; attempt += 1) {
    await breaker.pass();
    if (stopWorking.aborted) return null;
    try {
      const written = await storeOnce(batch, context, { isolate, attempt });
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
      if (failure.kind === 'row' && !isolate) {
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
        await waitOrAbort(backoffDelay(STALLED_BACKOFF, waits), stopFetching);
        if (stopFetching.aborted) return null;
      }
    }
  }
}

/** One transaction. */
function storeOnce(
  batch: Batch,
  { database, observer, stopWorking }: ProcessContext,
  { isolate, attempt }: { isolate: boolean; attempt: number },
): Promise<Written> {
  const { entries } = batch;
  if (isolate)
    return observer.step('isolate events', batch, attempt, (moved) =>
      isolatePoison(database, entries, undefined, moved),
    );
  return observer.step('write events', batch, attempt, (moved) =>
    writeEvents(database, entries, { stop: stopWorking, moved }),
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
    return true;
  };
  const settled = await retry(settle, {
    backoff: TRANSIENT_BACKOFF,
    signal: stopWorking,
    onFailure: (error, attempt) => observer.notSettled(error, attempt),
  });
  return settled ?? false;
}
