import type { Span } from '@opentelemetry/api';
import type { Redis } from 'ioredis';
import { type Kysely, sql } from 'kysely';
import type { Logger } from '@sluice/daemon/log/logger';
import { waitOrAbort } from '@sluice/daemon/retry/wait-or-abort';
import { failSpan } from '@sluice/daemon/telemetry/in-span';
import { untraced } from '@sluice/daemon/telemetry/untraced';
import { withAdvisoryLock } from '@sluice/store/advisory-lock';
import type { Database } from '@sluice/store/database';
import type { ReplayedEntry } from '@sluice/stream/replay-entry';
import type { StreamProducer } from '@sluice/stream/stream-producer';
import type { EndState, MaintenanceMetrics } from '../maintenance-metrics.ts';
import { inRunTrace } from '../running/run-trace.ts';
import { failReplay, finishReplay, releaseLetters, type ReplayProgress, replayProgress } from './end-replay.ts';
import { entriesGone, type Horizon, horizonNow } from './entries-gone.ts';
import { createPacer, type Pacer } from './pacer.ts';
import { sendLetters } from './send-letters.ts';
import { takeLetters, unsettledLetters } from './take-letters.ts';

/** What a replay needs. */
export interface ReplayContext {
  readonly database: Database;
  readonly redis: Redis;
  readonly producer: StreamProducer;
  readonly namespace: string;
  readonly logger: Logger;
  readonly metrics: Pick<MaintenanceMetrics, 'lettersReplayed' | 'replayEnded'>;
}

/** How often it is looked whether the writers are done with the letters, in milliseconds. */
const LOOK_MS = 250;

/** How often letters that vanished from the stream are put there again before the replay fails. */
const MAX_LOSSES = 2;

/** Letters of one run that have a span of their own; a trace of more is more than anybody can look at. */
const MOST_LETTER_SPANS = 500;

/** States in which there may be something to do. */
const LIVE = new Set(['queued', 'running', 'cancelled', 'failed']);

/**
 * Runs a replay from wherever it stands; the row in Postgres is the only truth about that:
 *
 *     queued ──► running ──► succeeded      every letter settled or skipped
 *                 │   ▲  └──► failed         letters vanish from the stream again and again
 *        pause ◄──┘   │
 *        resume ──────┘      cancel at any time: what is on its way is awaited, what is not is dead again
 *
 * First whatever an earlier run marked and did not hear of again goes back onto the stream: it may be there
 * already, and the ledger makes that harmless. Then the rest is walked by id in small steps, each marked in one
 * transaction and enqueued after it. One process at a time does this for one replay, by an advisory lock.
 *
 * @param signal the ordered stop; the next run goes on from here
 * @param requestedBy `traceparent` of who asked for it
 */
export async function replayLetters(
  id: string,
  context: ReplayContext,
  signal: AbortSignal,
  requestedBy: string | null | undefined,
): Promise<void> {
  for (;;) {
    const ran = await withAdvisoryLock(context.database, `replay:${id}`, (db) =>
      new Run(id, db, context, signal).run(requestedBy),
    );
    if (!ran || signal.aborted) return;
    // Resumed while this run was ending: whoever was woken for it found the lock taken.
    const db = context.database.db;
    const { state } = await replayProgress(db, id);
    if (state !== 'queued' && state !== 'running') return;
  }
}

function isEnd(state: string): state is EndState {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

class Run {
  readonly #id: string;
  readonly #db: Kysely<unknown>;
  readonly #context: ReplayContext;
  readonly #signal: AbortSignal;
  /** Nothing of this replay lies beyond it on the stream. */
  #horizon: Horizon = '0-0';
  /** Put on the stream by this run. */
  #sent = 0;

  constructor(id: string, db: Kysely<unknown>, context: ReplayContext, signal: AbortSignal) {
    this.#id = id;
    this.#db = db;
    this.#context = context;
    this.#signal = signal;
  }

  async run(requestedBy: string | null | undefined): Promise<void> {
    const { state, unsettled } = await replayProgress(this.#db, this.#id);
    const goesOn = state === 'queued' || state === 'running';
    if (!LIVE.has(state) || (!goesOn && unsettled === 0)) return;
    this.#horizon = await horizonNow(this.#context.redis);
    const attributes = { 'sluice.replay.id': this.#id };
    await inRunTrace('replay dead letters', { attributes, requestedBy }, (span) => this.#runToItsEnd(goesOn, span));
  }

  async #runToItsEnd(goesOn: boolean, span: Span): Promise<void> {
    const { logger, metrics } = this.#context;
    if (goesOn) {
      const pacer = createPacer(await this.#rate(), this.#signal);
      logger.info({ replay: this.#id }, 'replaying dead letters');
      await this.#enqueueUnsettled(pacer);
      await this.#walk(pacer);
      await this.#awaitWriters(pacer);
    }
    await this.#giveBack();
    const ended = await replayProgress(this.#db, this.#id);
    logger.info({ replay: this.#id, state: ended.state }, 'replay ended or paused');
    span.setAttributes({ 'sluice.replay.letters': this.#sent, 'sluice.run.state': ended.state });
    // What still has letters on their way is ended by another run.
    if (ended.unsettled === 0 && isEnd(ended.state)) metrics.replayEnded(ended.state);
    if (ended.state === 'failed') failSpan(span, 'letters vanished from the stream without being stored');
  }

  async #rate(): Promise<number> {
    const { rows } = await sql<{ rate: number }>`
      SELECT rate_per_second AS rate FROM replays WHERE id = ${this.#id}`.execute(this.#db);
    return rows[0]?.rate ?? 1;
  }

  /** Takes and enqueues what is left, until the end or until somebody stops it. */
  async #walk(pacer: Pacer): Promise<void> {
    while (!this.#signal.aborted) {
      const taken = await takeLetters(this.#db, this.#id, pacer.step);
      await this.#enqueue(taken.letters);
      if (taken.state !== 'running' || taken.atEnd) return;
      await pacer.pass(taken.letters.length);
    }
  }

  async #enqueueUnsettled(pacer: Pacer): Promise<void> {
    let lastId: string | null = '0';
    while (!this.#signal.aborted) {
      const { state } = await replayProgress(this.#db, this.#id);
      if (state !== 'queued' && state !== 'running') return;
      const page = await unsettledLetters(this.#db, this.#id, lastId, pacer.step);
      await this.#enqueue(page.letters);
      if (page.lastId === null) return;
      lastId = page.lastId;
      await pacer.pass(page.letters.length);
    }
  }

  async #enqueue(letters: readonly ReplayedEntry[]): Promise<void> {
    if (letters.length === 0) return;
    await sendLetters(letters, this.#context.producer, MOST_LETTER_SPANS - this.#sent);
    this.#sent += letters.length;
    this.#context.metrics.lettersReplayed(letters.length);
    this.#horizon = await horizonNow(this.#context.redis);
  }

  /** Waits until the writers have settled every letter; what vanished from the stream is enqueued again. */
  async #awaitWriters(pacer: Pacer): Promise<void> {
    const { logger } = this.#context;
    for (let losses = 0; !this.#signal.aborted;) {
      const { gone, state, unsettled } = await this.#look();
      if (state !== 'running') return;
      if (unsettled === 0) return finishReplay(this.#db, this.#id);
      if (gone && losses === MAX_LOSSES) {
        return failReplay(this.#db, this.#id, `${unsettled} letters vanished from the stream without being stored`);
      }
      if (gone) {
        losses += 1;
        logger.error({ replay: this.#id, letters: unsettled }, 'dead letters vanished from the stream; enqueued again');
        await this.#enqueueUnsettled(pacer);
      }
      await this.#rest();
    }
  }

  /** After a cancel or a failure: waits for what is on the stream, and makes the rest dead again. */
  async #giveBack(): Promise<void> {
    while (!this.#signal.aborted) {
      const { gone, state, unsettled } = await this.#look();
      if ((state !== 'cancelled' && state !== 'failed') || unsettled === 0) return;
      if (gone) return releaseLetters(this.#db, this.#id);
      await this.#rest();
    }
  }

  /** Done again and again, for as long as the writers take; the trace shows none of it. */
  #look(): Promise<ReplayProgress & { gone: boolean }> {
    return untraced(async () => {
      // In this order: what is gone from the stream before is in Postgres after.
      const gone = await entriesGone(this.#context.redis, this.#context.namespace, this.#horizon);
      return { gone, ...(await replayProgress(this.#db, this.#id)) };
    });
  }

  async #rest(): Promise<void> {
    await waitOrAbort(LOOK_MS, this.#signal);
  }
}
