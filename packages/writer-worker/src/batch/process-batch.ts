import { type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Redis } from 'ioredis';
import type { Database } from '@sluice/store/database';
import { messageOf } from '@sluice/errors/message-of';
import type { Logger } from '@sluice/daemon/log/logger';
import { inSpan } from '@sluice/daemon/telemetry/in-span';
import { KEEP } from '@sluice/daemon/telemetry/sampler';
import { backoffDelay, type Backoff } from '@sluice/daemon/retry/backoff';
import type { Batch } from './batch-buffer.ts';
import { processEvents, recordDeadLetters, recordDecoding, recordStored, settleEvents } from '../watch/batch-spans.ts';
import type { Breaker } from './breaker.ts';
import { classifyFailure, type Failure, isServerAway } from '@sluice/store/write/failure-policy';
import { isolatePoison } from '@sluice/store/write/isolate-poison';
import type { Progress } from '../watch/progress.ts';
import { settleBatch } from './settle-batch.ts';
import { retry } from '@sluice/daemon/retry/retry';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { writeEvents, type Written } from '@sluice/store/write/write-events';
import type { WriterMetrics } from '../watch/writer-metrics.ts';
import type { WriterState } from '../watch/writer-state.ts';

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
  readonly database: Database;
  /** For commands that answer at once. */
  readonly redis: Redis;
  readonly logger: Logger;
  readonly state: WriterState;
  readonly metrics: WriterMetrics;
  readonly progress: Progress;
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
/** Most entries of a batch that are named where it is said what hangs. */
const MAX_NAMED = 10;

/**
 * write, then settle. Returns only when the batch is stored and acknowledged, or the deadline has come.
 *
 * @param stored called once the transaction is over, before it is acknowledged: another one may begin
 */
export async function processBatch(
  batch: Batch,
  context: ProcessContext,
  stored: () => void = () => {},
): Promise<Outcome> {
  return inSpan('process events', processEvents(batch), async (span) => {
    recordDecoding(batch);
    const outcome = await writeAndSettle(batch, context, stored);
    noteOutcome(span, outcome);
    context.metrics.ended(outcome.kind);
    return outcome;
  });
}

async function writeAndSettle(batch: Batch, context: ProcessContext, stored: () => void): Promise<Outcome> {
  const takenAt = performance.now();
  const written = await writeUntilStored(batch, context).finally(stored);
  if (written === null) return { kind: 'abandoned' };
  context.metrics.committed(batch, written, (performance.now() - takenAt) / 1000);
  recordStored(batch);
  recordDeadLetters(written.letters);
  const settled = await settleUntilTaken(batch, written, context);
  return { kind: settled ? 'settled' : 'unsettled', written };
}

function noteOutcome(span: Span, outcome: Outcome): void {
  span.setAttribute('sluice.outcome', outcome.kind);
  if (outcome.kind === 'abandoned') {
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'not stored before the deadline of the stop' });
    return;
  }
  const { stored, duplicates, dead } = outcome.written;
  span.setAttributes({
    'sluice.events.stored': stored,
    'sluice.events.duplicate': duplicates,
    'sluice.events.dead': dead,
    // Where no try failed, too: an entry that nobody can read is known before the first one.
    ...(dead > 0 ? { [KEEP]: true } : {}),
  });
}

/**
 * Tries until the batch is stored. Every failure is answered by its class: a row error by isolating the bad
 * events, a server that is away by waiting for it behind the breaker, a passing error by trying again after a
 * while, and what only an operator can mend by a stall that says so. A commit whose outcome is unknown is run
 * again too: the ledger makes that safe.
 */
async function writeUntilStored(batch: Batch, context: ProcessContext): Promise<Written | null> {
  const { breaker, stopFetching, stopWorking } = context;
  const span = trace.getActiveSpan();
  let isolate = batch.entries.some((entry) => entry.unreadable !== null);
  if (isolate) context.metrics.isolating();
  let tries = 0;
  for (let attempt = 1; ;) {
    await breaker.pass();
    if (stopWorking.aborted) return null;
    tries += 1;
    span?.setAttribute('sluice.attempts', tries);
    try {
      const written = await tryOnce(batch, context, { isolate, tries });
      breaker.answered();
      recordSuccess(written, context);
      return written;
    } catch (error) {
      if (stopWorking.aborted) return null;
      const failure = classifyFailure(error);
      context.metrics.failed(failure.kind);
      if (isServerAway(failure)) {
        breaker.failed();
        recordRetry(failure, batch, context);
        continue;
      }
      breaker.answered();
      if (failure.kind === 'row' && !isolate) {
        isolate = true;
        context.metrics.isolating();
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

/** One transaction, in a span of its own: what failed is seen even when a later try made it good. */
async function tryOnce(
  batch: Batch,
  { database, progress, stopWorking }: ProcessContext,
  { isolate, tries }: { isolate: boolean; tries: number },
): Promise<Written> {
  const name = isolate ? 'isolate events' : 'write events';
  return inSpan(name, { attributes: { 'sluice.attempt': tries, 'sluice.events': batch.eventCount } }, async (span) => {
    try {
      return await progress.during(name, holdings(batch), (moved) =>
        isolate
          ? isolatePoison(database, batch.entries, undefined, moved)
          : writeEvents(database, batch.entries, { stop: stopWorking, moved }),
      );
    } catch (error) {
      const { kind, code } = classifyFailure(error);
      span.setAttributes({ 'sluice.failure.class': kind, 'error.type': code });
      throw error;
    }
  });
}

function holdings({ entries, eventCount }: Batch): Record<string, unknown> {
  return { entries: entries.length, events: eventCount, entry_ids: entries.slice(0, MAX_NAMED).map(({ id }) => id) };
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
  const about = { class: failure.kind, code: failure.code, error: failure.message, events: batch.eventCount, entries };
  // One alarm for each reason, not one for each try.
  if (state.stalled?.message === failure.message) logger.debug(about, 'a batch still cannot be stored');
  else {
    logger.error(
      about,
      'STALLED: a batch cannot be stored and somebody has to act; nothing is lost, nothing more is fetched',
    );
  }
  state.stalled = { ...failure, since: state.stalled?.since ?? new Date().toISOString(), entries };
}

async function settleUntilTaken(batch: Batch, written: Written, context: ProcessContext): Promise<boolean> {
  const { redis, logger, progress, stopWorking } = context;
  const settle = async (): Promise<true> => {
    await inSpan('settle events', settleEvents(batch), () =>
      progress.during('settle events', holdings(batch), () => settleBatch(redis, batch.entries, written)),
    );
    return true;
  };
  const settled = await retry(settle, {
    backoff: TRANSIENT_BACKOFF,
    signal: stopWorking,
    onFailure(error, attempt) {
      if (attempt === 1) logger.warn({ error: messageOf(error) }, 'acknowledging failed; trying again');
    },
  });
  return settled ?? false;
}
