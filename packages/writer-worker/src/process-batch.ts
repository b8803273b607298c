import { messageOf } from '@sluice/shared/errors/message-of';
import type { Redis } from 'ioredis';
import type { Orm } from '@sluice/shared/database/orm';
import type { Logger } from '@sluice/shared/runtime/logger';
import { backoffDelay, type Backoff } from './backoff.ts';
import type { Batch } from './batch-buffer.ts';
import { classifyFailure, type Failure } from './failure-policy.ts';
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
  /** The stop has begun: a batch that only somebody's action could get stored is given up. */
  readonly stopFetching: AbortSignal;
  /** The deadline: stops all trying. */
  readonly stopWorking: AbortSignal;
}

/** Waits between tries of errors that pass by themselves. */
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

async function writeUntilStored(batch: Batch, context: ProcessContext): Promise<Written | null> {
  const { orm, stopFetching, stopWorking } = context;
  const events = batch.entries.flatMap((entry) => entry.events);
  let lastFailure: Failure | null = null;
  for (let attempt = 1; ; attempt += 1) {
    if (stopWorking.aborted) return null;
    try {
      const written = await writeEvents(orm, events, stopWorking);
      recordSuccess(written, lastFailure, context);
      return written;
    } catch (error) {
      if (stopWorking.aborted) return null;
      lastFailure = classifyFailure(error);
      const stalled = recordFailure(lastFailure, batch, attempt, context);
      // A commit whose outcome is unknown is run again too: the ledger makes that safe.
      if (stalled) await waitOrAbort(backoffDelay(STALLED_BACKOFF, attempt), stopFetching);
      else await waitOrAbort(backoffDelay(TRANSIENT_BACKOFF, attempt), stopWorking);
      if (stalled && stopFetching.aborted) return null;
    }
  }
}

function recordSuccess(written: Written, lastFailure: Failure | null, { state, logger }: ProcessContext): void {
  state.storedEvents += written.stored;
  state.duplicateEvents += written.duplicates;
  state.transactions += 1;
  state.lastCommitAt = Date.now();
  if (lastFailure === null) return;
  if (state.stalled !== null) logger.info({ code: lastFailure.code }, 'stored after a stall; consuming goes on');
  state.stalled = null;
  state.retrying = null;
}

/** @returns true when the failure stops consumption */
function recordFailure(failure: Failure, batch: Batch, attempt: number, { state, logger }: ProcessContext): boolean {
  const since = new Date().toISOString();
  const entries = batch.entries.map((entry) => entry.id);
  const fields = { class: failure.kind, code: failure.code, error: failure.message, attempt, events: batch.eventCount };
  if (failure.kind === 'transient' || failure.kind === 'resource') {
    state.retrying ??= { ...failure, since };
    logger.warn(fields, 'storing failed; trying again');
    return false;
  }
  state.stalled = { ...failure, since: state.stalled?.since ?? since, entries };
  logger.error(
    { ...fields, entries },
    'STALLED: a batch cannot be stored and somebody has to act; nothing is lost, nothing more is fetched',
  );
  return true;
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
