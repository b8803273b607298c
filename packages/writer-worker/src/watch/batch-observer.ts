import { type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Logger } from '@sluice/daemon/log/logger';
import { inSpan } from '@sluice/daemon/telemetry/in-span';
import { KEEP } from '@sluice/daemon/telemetry/sampler';
import { messageOf } from '@sluice/errors/message-of';
import { classifyFailure, type Failure } from '@sluice/store/write/failure-policy';
import type { Written } from '@sluice/store/write/write-events';
import type { Batch } from '../batch/batch-buffer.ts';
import type { Outcome } from '../batch/outcome.ts';
import { processEvents, recordDeadLetters, recordDecoding, recordStored, type Step, stepSpan } from './batch-spans.ts';
import type { Progress } from './progress.ts';
import type { WriterMetrics } from './writer-metrics.ts';
import type { WriterState } from './writer-state.ts';

/** Most entries of a batch that `/live` names when the batch hangs. */
const MAX_NAMED = 10;

/**
 * Records what happens to batches: spans, signs of life, metrics, the writer's state and the log. All of that is here, so
 * that processing reads as its steps. It decides nothing.
 */
export class BatchObserver {
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  /** Runs the processing of a batch in a span. */
  batch(batch: Batch, work: () => Promise<Outcome>): Promise<Outcome> {
    return inSpan('process events', processEvents(batch), async (span) => {
      recordDecoding(batch);
      const outcome = await work();
      noteOutcome(span, outcome);
      this.#records.metrics.ended(outcome.kind);
      return outcome;
    });
  }

  /**
   * Runs one try of a step in a span of its own, so that a failed try is visible even when a later one succeeds. The try
   * counts as an activity in progress: it must end, or give signs of life.
   *
   * @param work calls its argument each time that it makes progress
   */
  step<T>(name: Step, batch: Batch, attempt: number, work: (moved: () => void) => Promise<T>): Promise<T> {
    const isTransaction = name !== 'settle events';
    if (isTransaction) trace.getActiveSpan()?.setAttribute('sluice.attempts', attempt);
    return inSpan(name, stepSpan(name, batch, attempt), async (span) => {
      try {
        return await this.#records.progress.during(name, holdings(batch), work);
      } catch (error) {
        if (isTransaction) noteFailure(span, classifyFailure(error));
        throw error;
      }
    });
  }

  /**
   * The transaction was committed.
   *
   * @param takenAt when its batch was taken from the buffer, by `performance.now()`
   */
  committed(batch: Batch, written: Written, takenAt: number): void {
    const { logger, state, metrics } = this.#records;
    state.storedEvents += written.stored;
    state.duplicateEvents += written.duplicates;
    state.deadLetters += written.dead;
    state.transactions += 1;
    state.lastCommitAt = Date.now();
    if (written.dead > 0) {
      const reasons = [...new Set(written.letters.map(({ reason }) => reason))];
      logger.warn({ dead: written.dead, stored: written.stored, reasons }, 'events became dead letters');
    }
    if (state.stalled !== null) logger.info('stored after a stall; consuming continues');
    if (state.retrying !== null) logger.info({ code: state.retrying.code }, 'stored after retrying');
    state.stalled = null;
    state.retrying = null;
    metrics.committed(batch, written, (performance.now() - takenAt) / 1000);
    recordStored(batch);
    recordDeadLetters(written.letters);
  }

  /**
   * Isolation of the batch's bad events begins.
   *
   * @param failure of the try before; left out for a batch with an unreadable entry
   */
  isolating(failure?: Failure): void {
    const { metrics } = this.#records;
    if (failure !== undefined) metrics.failed(failure.kind);
    metrics.isolating();
  }

  /** A try failed with an error that passes without an operator. */
  retrying(batch: Batch, failure: Failure): void {
    const { logger, state, metrics } = this.#records;
    metrics.failed(failure.kind);
    const fields = { class: failure.kind, code: failure.code, error: failure.message, events: batch.eventCount };
    // One warning for each outage, not one for each try.
    if (state.retrying === null) logger.warn(fields, 'storing failed; retrying');
    else logger.debug(fields, 'storing failed again');
    state.retrying ??= { ...failure, since: new Date().toISOString() };
  }

  /** A try failed with an error that only an operator can fix. */
  stalled(batch: Batch, failure: Failure): void {
    const { logger, state, metrics } = this.#records;
    metrics.failed(failure.kind);
    const entries = batch.entries.map((entry) => entry.id);
    const about = {
      class: failure.kind,
      code: failure.code,
      error: failure.message,
      events: batch.eventCount,
      entries,
    };
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

  /** An operator has set these entries aside. */
  setAside(entries: Batch['entries']): void {
    const { logger } = this.#records;
    logger.warn({ entries: entries.map(({ id }) => id) }, 'entries were set aside by an operator');
  }

  /** A batch was acknowledged. */
  settled(): void {
    this.#records.state.redisFailures.worked(SETTLING);
  }

  /** A try of an acknowledgement failed. */
  notSettled(error: unknown, attempt: number): void {
    this.#records.state.redisFailures.failed(SETTLING, error);
    if (attempt === 1) this.#records.logger.warn({ error: messageOf(error) }, 'acknowledging failed; retrying');
  }
}

/** What is failing in Redis when batches are not acknowledged. */
const SETTLING = 'acknowledging';

/** The places that a batch is recorded in. */
interface Records {
  readonly logger: Logger;
  readonly state: WriterState;
  readonly metrics: WriterMetrics;
  readonly progress: Progress;
}

/** What a step holds; `/live` shows it when the step hangs. */
function holdings({ entries, eventCount }: Batch): Record<string, unknown> {
  return { entries: entries.length, events: eventCount, entry_ids: entries.slice(0, MAX_NAMED).map(({ id }) => id) };
}

function noteFailure(span: Span, { kind, code }: Failure): void {
  span.setAttributes({ 'sluice.failure.class': kind, 'error.type': code });
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
    // Also when no try failed: an unreadable entry is known before the first one.
    ...(dead > 0 ? { [KEEP]: true } : {}),
  });
}
