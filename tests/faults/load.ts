import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seededRandom } from '@sluice/testkit/random';
import { makeLoadEvents, POISON_TYPE, type LoadEvent } from './load-events.ts';
import { type LoggedBatch, RequestLog, type Verdict } from './request-log.ts';
import { waitUntil } from './wait-until.ts';

/** What the clients of a run do. */
export interface LoadOptions {
  readonly clients: number;
  /** Most events in one request. */
  readonly maxBatch: number;
  /** Longest pause of a client between two requests, in milliseconds. */
  readonly maxPauseMs: number;
  /** Share of acked batches that are sent again, in another order. */
  readonly resendAcked: number;
  /** Share of requests that repeat a batch of any age, which was acked. */
  readonly resendOld: number;
  /** How long a client waits for an answer, in milliseconds. */
  readonly patienceMs: number;
}

export const DEFAULT_LOAD: LoadOptions = {
  clients: 6,
  maxBatch: 40,
  maxPauseMs: 30,
  resendAcked: 0.05,
  resendOld: 0,
  patienceMs: 3_000,
};

/** Batches that a client can repeat at any time. */
const MOST_OLD = 200;

/** Clients that send until they are stopped. */
export interface Load {
  readonly log: RequestLog;
  /** Share of new events that a fault's trigger refuses. */
  poisonShare: number;
  /** Waits until `count` more requests have ended so. */
  more(verdict: Verdict, count: number): Promise<void>;
  /** Sends one more batch of `count` events until it is acked, and returns its ids. */
  sendUntilAcked(count: number, withinMs: number): Promise<readonly string[]>;
  /** Resolves when all requests in flight have ended. */
  stop(): Promise<void>;
}

/**
 * Starts clients whose choices follow from the seed. They send a batch that was not acked again with the same ids, as a
 * client should. They also repeat a share of the acked batches, as a client does that missed the answer.
 *
 * @param url where ingest is now; it may have restarted meanwhile
 */
export function startLoad(url: () => string, seed: number, options: LoadOptions): Load {
  const log = new RequestLog();
  const probes = seededRandom(seed ^ 0x5bd1e995);
  const stopped = new AbortController();

  async function send(batch: LoggedBatch, events: readonly LoadEvent[]): Promise<Verdict> {
    const startedAt = performance.now();
    const answer = await post(`${url()}/api/events`, { events }, options.patienceMs);
    const status = answer?.status ?? null;
    if (status === 202 && answer?.accepted !== events.length)
      throw new Error(`202 for ${answer?.accepted} events where ${events.length} were sent`);
    const verdict = status === 202 ? 'acked' : status === null ? 'unknown' : 'refused';
    log.note(batch, { startedAt, endedAt: performance.now(), verdict, status });
    return verdict;
  }

  async function client(random: Random): Promise<void> {
    const again: { batch: LoggedBatch; events: LoadEvent[] }[] = [];
    const old: { batch: LoggedBatch; events: LoadEvent[] }[] = [];
    while (!stopped.signal.aborted) {
      let next = random.int(2) === 0 ? again.shift() : undefined;
      if (next === undefined && old.length > 0 && random.int(1_000) < options.resendOld * 1_000)
        next = random.pick(old);
      if (next === undefined) {
        const events = makeLoadEvents(1 + random.int(options.maxBatch), random, load.poisonShare);
        next = { batch: open(log, events), events };
      } else {
        // The same events in another order: the database must not be locked in the client's order.
        next.events.sort(() => random.int(3) - 1);
      }
      const verdict = await send(next.batch, next.events);
      if (verdict === 'acked' && old.length < MOST_OLD && !old.includes(next)) old.push(next);
      if (verdict !== 'acked' || random.int(1_000) < options.resendAcked * 1_000) again.push(next);
      await delay(random.int(options.maxPauseMs + 1));
    }
  }

  const load: Load = {
    log,
    poisonShare: 0,
    async more(verdict, count) {
      const enough = log.requests(verdict) + count;
      await waitUntil(`${count} more requests are ${verdict}`, () => log.requests(verdict) >= enough);
    },
    async sendUntilAcked(count, withinMs) {
      const events = makeLoadEvents(count, probes, 0);
      const batch = open(log, events);
      await waitUntil('a new batch is acked', async () => (await send(batch, events)) === 'acked', withinMs);
      return batch.ids;
    },
    async stop() {
      stopped.abort();
      await Promise.all(clients);
    },
  };
  const clients = Array.from({ length: options.clients }, (_, place) => client(seededRandom(seed * 1_000 + place)));
  // stop() reports a client that fails; the process must not end with it.
  for (const each of clients) each.catch(() => {});
  return load;
}

/** Null without a whole answer: what became of the batch is then unknown. */
async function post(
  url: string,
  body: unknown,
  patienceMs: number,
): Promise<{ status: number; accepted: number | undefined } | null> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(patienceMs),
    });
    const { accepted } = (await answer.json()) as { accepted?: number };
    return { status: answer.status, accepted };
  } catch {
    return null;
  }
}

function open(log: RequestLog, events: readonly LoadEvent[]): LoggedBatch {
  const poison = events.filter((event) => event.eventType === POISON_TYPE);
  return log.open(
    events.map((event) => event.eventId),
    poison.map((event) => event.eventId),
  );
}
