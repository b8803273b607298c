import { type SqlBool, sql } from 'kysely';
import type { Logger } from '@sluice/daemon/log/logger';
import { poll as startPoll } from '@sluice/daemon/retry/poll';
import { messageOf } from '@sluice/errors/message-of';
import { toWire } from '@sluice/events/adapters/to-wire';
import type { Database } from '@sluice/store/database';
import { LONGEST_TRANSACTION_MS } from '@sluice/store/time-limits';
import { type EventFilter, matchesFilter } from '../events/event-filter.ts';
import { type CommittedChunk, readCommitted, type TailPosition } from './committed-events.ts';
import type { EventStream } from './event-stream.ts';
import { createFenceHistory, sightTransactions } from './fence-history.ts';
import { matchesEvent } from './matches-event.ts';
import { type TailId, tailIdOf } from './tail-id.ts';

/** How often Postgres is asked for new commits while there are readers, in milliseconds. */
const POLL_MS = 500;

/** How far back a stream may be resumed, in milliseconds. */
const RESUME_MS = 15 * 60_000;

/** Readers are notified (`lag`) when the fence is older than this, in milliseconds, and again after each such time. */
const LAG_MS = 5_000;

/**
 * How long all readers wait for one with 1 MiB unread before it is dropped, in milliseconds. The wait lets a burst
 * through to fast readers. Writers never wait for a reader.
 */
const SLOW_MS = 1_000;

/** The same for a reader that is still catching up, for which no other reader waits. */
const SLOW_RESUME_MS = 30_000;

const GO_ON = 'PostgreSQL cannot be read at the moment; resume with Last-Event-ID.';

/** One open stream. */
export interface TailReader {
  /** Id of the request that opened the stream, for the log. */
  readonly requestId: string;
  readonly filter: EventFilter;
  readonly stream: EventStream;
}

/** Sends committed events to readers, with one poll of Postgres for all readers of this process. */
export interface LiveTail {
  /** Serves a reader until its stream ends. Begins after `resume`; without it, with the next commits. */
  follow(reader: TailReader, resume: TailId | null): Promise<void>;
  /** Open streams. */
  readonly readers: number;
  /** Ends all streams. */
  stop(): Promise<void>;
}

/**
 * Reads on the primary, below the fence: every transaction below it has ended. The next read continues at the last fence,
 * so a late commit is in exactly one window. A long transaction anywhere in the cluster holds back the fence, and with it
 * all readers, which are notified. See docs/decisions/0013-reads.md.
 */
export function createLiveTail({ database, logger }: { database: Database; logger: Logger }): LiveTail {
  const db = database.db;
  /** Readers that have received every event below `reached`. */
  const live = new Set<TailReader>();
  const open = new Set<TailReader>();
  let reached: bigint | null = null;
  let history = createFenceHistory();
  let followedSince = 0;
  let toldAt = 0;
  let polling: Promise<void> | null = null;
  let stopped = false;

  /** Sends the live readers what was committed since the last poll. Polls never overlap. */
  function poll(): Promise<void> {
    polling ??= advance().finally(() => {
      polling = null;
    });
    return polling;
  }

  async function advance(): Promise<void> {
    const sighting = await sightTransactions(db);
    if (reached === null) {
      followedSince = sighting.at;
      reached = sighting.fence;
    } else if (sighting.fence > reached) {
      // A fence that went back belongs to a server that lags after a failover: wait until it catches up.
      await giveOut(reached, sighting.fence, sighting.at).catch(letGo);
      reached = sighting.fence;
    }
    history.add(sighting);
    tellLag(sighting.at);
  }

  async function giveOut(from: bigint, before: bigint, now: number): Promise<void> {
    const tenants = [...new Set([...live].map(({ filter }) => filter.tenant))];
    if (tenants.length === 0) return;
    const since = history.before(from)?.begunSince ?? now - LONGEST_TRANSACTION_MS;
    const condition = sql<SqlBool>`tenant = ANY(${tenants}::text[])`;
    for await (const { events } of window({ tx: from, eventId: null }, before, since, condition)) {
      for (const event of events) {
        let text: string | undefined;
        for (const { filter, stream } of live) {
          if (!matchesEvent(filter, event)) continue;
          text ??= JSON.stringify(toWire(event));
          stream.send({ id: tailIdOf(event), data: text });
        }
        const full = [...live].filter(({ stream }) => stream.isFull);
        if (full.length > 0) await Promise.all(full.map(({ stream }) => stream.drain(SLOW_MS)));
      }
    }
  }

  /** A failed window is not read again, because part of it was sent. Each reader knows how far it got, and resumes. */
  function letGo(error: unknown): void {
    logger.warn({ error: messageOf(error) }, 'committed events could not be read; the streams are ended');
    for (const { stream } of live) stream.end('failed', GO_ON);
  }

  /** Yields all events of a window, chunk by chunk. */
  async function* window(
    from: TailPosition,
    before: bigint,
    sinceMs: number,
    condition: ReturnType<typeof matchesFilter>,
  ): AsyncGenerator<CommittedChunk> {
    const storedSince = new Date(Math.max(0, sinceMs)).toISOString();
    for (let after = from; ;) {
      const chunk = await readCommitted(database, { after, before, storedSince, condition });
      yield chunk;
      if (!chunk.more) return;
      const last = chunk.events.at(-1)!;
      after = { tx: BigInt(last.tx), eventId: last.event_id };
    }
  }

  function tellLag(now: number): void {
    const fresh = history.before(reached!)?.at ?? followedSince;
    if (now - fresh < LAG_MS || now - toldAt < LAG_MS) return;
    toldAt = now;
    const seconds = Math.round((now - fresh) / 1000);
    for (const { stream } of live) {
      stream.send({
        event: 'lag',
        data: JSON.stringify({
          seconds,
          message: 'An open transaction holds back what was committed after it began.',
        }),
      });
    }
  }

  /** Reads for one reader what it missed, at its own pace, until it has caught up with the live readers. */
  async function catchUp(reader: TailReader, resume: TailId): Promise<void> {
    const { filter, stream } = reader;
    let position: TailPosition = { tx: resume.tx, eventId: resume.eventId };
    while (!stream.ended) {
      // During a poll the live readers are between two fences.
      await polling;
      if (position.eventId === null && position.tx === reached) break;
      const before = reached!;
      const since = resume.storedMs - LONGEST_TRANSACTION_MS;
      for await (const { events, chars } of window(position, before, since, matchesFilter(filter))) {
        stream.reserve(chars);
        for (const event of events) {
          stream.send({ id: tailIdOf(event), data: JSON.stringify(toWire(event)) });
          if (stream.isFull) await stream.drain(SLOW_RESUME_MS);
          if (stream.ended) return;
        }
      }
      stream.reserve(0);
      position = { tx: before, eventId: null };
    }
  }

  async function follow(reader: TailReader, resume: TailId | null): Promise<void> {
    open.add(reader);
    // The id may come from another instance, which may be a poll ahead of this one.
    await polling;
    if (reached === null || resume !== null) await poll();
    const tooOld = resume !== null && (resume.storedMs < Date.now() - RESUME_MS || resume.tx >= reached!);
    if (tooOld) {
      reader.stream.send({
        event: 'gap',
        data: JSON.stringify({
          message:
            'Last-Event-ID is too old to resume from: this stream begins now. Read what is missing with POST /api/events/query.',
        }),
      });
    }
    if (resume === null || tooOld) await polling;
    else await catchUp(reader, resume);
    if (!reader.stream.ended) live.add(reader);
  }

  function leave(reader: TailReader): void {
    open.delete(reader);
    live.delete(reader);
    if (open.size > 0) return;
    // Without readers nothing is polled: the next reader begins at the fence of its own time.
    reached = null;
    history = createFenceHistory();
  }

  const following = startPoll({
    everyMs: POLL_MS,
    when: () => open.size > 0,
    turn: poll,
    onFailing: (error) => logger.warn({ error }, 'live tail poll failed'),
    onRecovered: () => logger.info('live tail poll works again'),
  });

  return {
    async follow(reader, resume) {
      reader.stream.body.once('close', () => leave(reader));
      try {
        if (stopped) reader.stream.end('stopping', 'This instance is stopping.');
        else await follow(reader, resume);
      } catch (error) {
        logger.warn({ request_id: reader.requestId, error: messageOf(error) }, 'a stream cannot be served');
        reader.stream.end('failed', GO_ON);
      }
    },
    get readers() {
      return open.size;
    },
    async stop() {
      stopped = true;
      for (const { stream } of open) stream.end('stopping', 'This instance is stopping; another one takes over.');
      await following.stop();
    },
  };
}
