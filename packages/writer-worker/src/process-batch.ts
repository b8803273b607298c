import type { Redis } from 'ioredis';
import type { Orm } from '@sluice/shared/database/orm';
import { messageOf } from '@sluice/shared/errors/message-of';
import type { Logger } from '@sluice/shared/runtime/logger';
import { backoffDelay, type Backoff } from './backoff.ts';
import type { Batch } from './batch-buffer.ts';
import type { Breaker } from './breaker.ts';
import { classifyFailure, type Failure, isServerAway } from './failure-policy.ts';
import { isolatePoison } from './isolate-poison.ts';
import { settleBatch } from './settle-batch.ts';
import { waitOrAbort } from './wait-or-abort.ts';
import { writeEvents, type Written } from './write-events.ts';
import type { WriterState } from './writer-state.ts';

/** How a batch ended. */
export type Outcome =
  /** Committed, acknowledged and deleted. */
  | { readonly kind: 'settled'; readonly written: Written }
  /** Committed, but Redis did not take the acknowledgement before the deadline: it is delivered again. */
  | { readonly kind: 'unsettled'; readonly written: Written }
  /** Not stored before the deadline of the stop: it stays pending and is delivered again. */
  | { readonly kind: 'abandoned' };

/** What processing needs; the same for all batches of a writer. */
export interface ProcessContext {
  readonly orm: Orm;
  /** For commands that answer at once. */
  readonly redis: Redis;
  readonly logger: Logger;
  readonly state: WriterState;
  readonly breaker: Breaker;
  /** The stop has begun: a batch that only somebody's action could get stored is given up. */
  readonly stopFetching: AbortSignal;
  /** The deadline: stops all trying. */
  readonly stopWorking: AbortSignal;
}

/** Waits between tries of statements that failed for a passing reason of their own. */
const TRANSIENT_BACKOFF: Backoff = { initialMs: 50, maxMs: 5_000 };
/** Waits between tries while somebody has to act: often enough to notice the repair soon. */
const STALLED_BACKOFF: Backoff = { initialMs: 1_000, maxMs: 30_000 };

/** write, then settle. Returns only when the batch is stored and acknowledged, or the deadline has come. */
export async function processBatch(batch: Batch, context: ProcessContext): Promise<Outcome> {
  const written = await writeUntilStored(batch, context);
  if (written === null) return { kind: 'abandoned' };
  const settled = await settleUntilTaken(batch, context);
  return { kind: settled ? 'settled' : 'unsettled', written };
}

/**
 * Tries until the batch is stored. Every failure is answered by its class: a row error by isolating the bad
 * events, a server that is away by waiting for it behind the breaker, a passing error by trying again after a
 * while, and what only an operator can mend by a stall that says so. A commit whose outcome is unknown is run
 * again too: the ledger makes that safe.
 */
async function writeUntilStored(batch: Batch, context: ProcessContext): Promise<Written | null> {
  const { orm, breaker, stopFetching, stopWorking } = context;
  let isolate = batch.entries.some((entry) => entry.unreadable !== null);
  for (let attempt = 1; ;) {
    await breaker.pass();
    if (stopWorking.aborted) return null;
    try {
      const written = isolate
        ? await isolatePoison(orm, batch.entries)
        : await writeEvents(orm, batch.entries, stopWorking);
      breaker.answered();
      recordSuccess(written, context);
      return written;
    } catch (error) {
      if (stopWorking.aborted) return null;
      const failure = classifyFailure(error);
      if (isServerAway(failure)) {
        breaker.failed();
        recordRetry(failure, batch, context);
        continue;
      }
      breaker.answered();
      if (failure.kind === 'row' && !isolate) {
        isolate = true;
        continue;
      }
      if (failure.kind === 'transient') {
        recordRetry(failure, batch, context);
        await waitOrAbort(backoffDelay(TRANSIENT_BACKOFF, attempt), stopWorking);
      } else {
        recordStall(failure, batch, context);
        await waitOrAbort(backoffDelay(STALLED_BACKOFF, attempt), stopFetching);
        if (stopFetching.aborted) return null;
      }
      attempt += 1;
    }
  }
}

function recordSuccess(written: Written, { state, logger }: ProcessContext): void {
  state.storedEvents += written.stored;
  state.duplicateEvents += written.duplicates;
  state.deadLetters += written.dead;
  state.transactions += 1;
  state.lastCommitAt = Date.now();
  if (written.dead > 0) logger.warn({ dead: written.dead, stored: written.stored }, 'events became dead letters');
  if (state.stalled !== null) logger.info('stored after a stall; consuming goes on');
  if (state.retrying !== null) logger.info({ code: state.retrying.code }, 'stored after trying again');
  state.stalled = null;
  state.retrying = null;
}

function recordRetry(failure: Failure, batch: Batch, { state, logger }: ProcessContext): void {
  const fields = { class: failure.kind, code: failure.code, error: failure.message, events: batch.eventCount };
  // One warning for each outage, not one for each try.
  if (state.retrying === null) logger.warn(fields, 'storing failed; trying again');
  else logger.debug(fields, 'storing failed again');
  state.retrying ??= { ...failure, since: new Date().toISOString() };
}

function recordStall(failure: Failure, batch: Batch, { state, logger }: ProcessContext): void {
  const entries = batch.entries.map((entry) => entry.id);
  state.stalled = { ...failure, since: state.stalled?.since ?? new Date().toISOString(), entries };
  logger.error(
    { class: failure.kind, code: failure.code, error: failure.message, events: batch.eventCount, entries },
    'STALLED: a batch cannot be stored and somebody has to act; nothing is lost, nothing more is fetched',
  );
}

async function settleUntilTaken(batch: Batch, { redis, logger, stopWorking }: ProcessContext): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await settleBatch(redis, batch.entries);
      return true;
    } catch (error) {
      if (attempt === 1) logger.warn({ error: messageOf(error) }, 'acknowledging failed; trying again');
      if (stopWorking.aborted) return false;
      await waitOrAbort(backoffDelay(TRANSIENT_BACKOFF, attempt), stopWorking);
    }
  }
}
