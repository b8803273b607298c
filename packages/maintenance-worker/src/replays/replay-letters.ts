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
import {
  failReplay,
  finishReplay,
  releaseLetters,
  replayOutcome,
  type ReplayProgress,
  replayProgress,
} from './end-replay.ts';
import { entriesGone, type Horizon, horizonNow } from './entries-gone.ts';
import { createPacer, type Pacer } from './pacer.ts';
import { sendLetters } from './send-letters.ts';
import { takeLetters, unsettledLetters } from './take-letters.ts';

/**
 * Runs a replay from where it is. Its row in Postgres is the only truth about that:
 *
 *     queued ──► running ──► succeeded      every dead letter settled or skipped
 *                 │   ▲  └──► failed         dead letters vanish from the stream again and again
 *        pause ◄──┘   │
 *        resume ──────┘      cancel at any time: sent dead letters are awaited, the others are open again
 *
 * First it sends all dead letters again that an earlier run marked and that are not settled. Some may be on the stream
 * already; unique ids make that harmless. Then it walks the rest by id in small steps: each is marked in one
 * transaction and enqueued after it. An advisory lock lets one process at a time run a replay.
 *
 * @param signal the ordered stop; the next run continues from here
 * @param requestedBy `traceparent` of the request
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
    // It was resumed while this run was ending: the worker that was woken for it found the lock taken.
    const db = context.database.db;
    const { state } = await replayProgress(db, id);
    if (state !== 'queued' && state !== 'running') return;
  }
}

/** What a replay needs. */
export interface ReplayContext {
  readonly database: Database;
  readonly redis: Redis;
  readonly producer: StreamProducer;
  readonly namespace: string;
  readonly logger: Logger;
  readonly metrics: Pick<MaintenanceMetrics, 'lettersReplayed' | 'replayEnded'>;
}

/** How often the replay checks whether the writers have settled its dead letters, in milliseconds. */
const CHECK_MS = 250;

/** How many times vanished dead letters are put on the stream again before the replay fails. */
const MAX_LOSSES = 2;

/** Dead letters of one run that have a span of their own; a longer trace could not be read. */
const MOST_LETTER_SPANS = 500;

/** States in which there may be work to do. */
const LIVE = new Set(['queued', 'running', 'cancelled', 'failed']);

function isEnd(state: string): state is EndState {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

class Run {
  readonly #id: string;
  readonly #db: Kysely<unknown>;
  readonly #context: ReplayContext;
  readonly #signal: AbortSignal;
  /** No entry of this replay is after it on the stream. */
  #horizon: Horizon = '0-0';
  /** Dead letters that this run has put on the stream. */
  #sent = 0;

  constructor(id: string, db: Kysely<unknown>, context: ReplayContext, signal: AbortSignal) {
    this.#id = id;
    this.#db = db;
    this.#context = context;
    this.#signal = signal;
  }

  async run(requestedBy: string | null | undefined): Promise<void> {
    const { state, unsettled } = await replayProgress(this.#db, this.#id);
    const continues = state === 'queued' || state === 'running';
    if (!LIVE.has(state) || (!continues && unsettled === 0)) return;
    this.#horizon = await horizonNow(this.#context.redis);
    const attributes = { 'sluice.replay.id': this.#id };
    await inRunTrace('replay dead letters', { attributes, requestedBy }, (span) => this.#runToItsEnd(continues, span));
  }

  async #runToItsEnd(continues: boolean, span: Span): Promise<void> {
    const { logger, metrics } = this.#context;
    if (continues) {
      const pacer = createPacer(await this.#rate(), this.#signal);
      logger.info({ replay: this.#id }, 'replaying dead letters');
      await this.#enqueueUnsettled(pacer);
      await this.#walk(pacer);
      await this.#awaitWriters(pacer);
    }
    await this.#releaseRest();
    const ended = await replayProgress(this.#db, this.#id);
    const outcome = await replayOutcome(this.#db, this.#id);
    logger.info({ replay: this.#id, state: ended.state, ...outcome }, 'replay ended or paused');
    span.setAttributes({ 'sluice.replay.letters': this.#sent, 'sluice.run.state': ended.state });
    // A replay with unsettled dead letters is ended by another run.
    if (ended.unsettled === 0 && isEnd(ended.state)) metrics.replayEnded(ended.state);
    if (ended.state === 'failed') failSpan(span, 'letters vanished from the stream without being stored');
  }

  async #rate(): Promise<number> {
    const { rows } = await sql<{ rate: number }>`
      SELECT rate_per_second AS rate FROM replays WHERE id = ${this.#id}`.execute(this.#db);
    return rows[0]?.rate ?? 1;
  }

  /** Takes and enqueues the rest, until the end or until an operator stops it. */
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

  /** Waits until the writers have settled every dead letter; vanished ones are enqueued again. */
  async #awaitWriters(pacer: Pacer): Promise<void> {
    const { logger } = this.#context;
    for (let losses = 0; !this.#signal.aborted;) {
      const { gone, state, unsettled } = await this.#check();
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

  /** After a cancel or a failure: waits until the sent dead letters have left the stream, then opens the rest again. */
  async #releaseRest(): Promise<void> {
    while (!this.#signal.aborted) {
      const { gone, state, unsettled } = await this.#check();
      if ((state !== 'cancelled' && state !== 'failed') || unsettled === 0) return;
      if (gone) return releaseLetters(this.#db, this.#id);
      await this.#rest();
    }
  }

  /** Checks the stream, then Postgres. Untraced, because it repeats for as long as the writers take. */
  #check(): Promise<ReplayProgress & { gone: boolean }> {
    return untraced(async () => {
      // In this order: what has left the stream is settled in Postgres by then.
      const gone = await entriesGone(this.#context.redis, this.#context.namespace, this.#horizon);
      return { gone, ...(await replayProgress(this.#db, this.#id)) };
    });
  }

  async #rest(): Promise<void> {
    await waitOrAbort(CHECK_MS, this.#signal);
  }
}
