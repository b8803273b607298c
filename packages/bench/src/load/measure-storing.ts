import { setTimeout as delay } from 'node:timers/promises';
import { type LoadResult, startLoad } from './start-load.ts';
import type { Target } from './target.ts';

/** How often to check how much waits, in milliseconds; one round trip to Redis each. */
const CHECK_EVERY_MS = 10;

/** Without any progress for this long, the measurement fails. */
const STALLED_AFTER_MS = 60_000;

/** The result of one load, from the first request until all of it is committed. */
export interface Stored {
  /** Acknowledged and committed, per second from the first request to the last commit. */
  readonly eventsPerSecond: number;
  readonly load: LoadResult;
}

/**
 * Sends a load and waits until everything that was acknowledged is committed.
 *
 * @param options.mostWaiting about how many events may wait between 202 and COMMIT. Above it the load is held back, so
 *   that the figure is a sustained rate and not a burst; null for no bound
 * @throws when the number of stored events differs from that of acknowledged ones
 */
export async function measureStoring(
  target: Target,
  options: {
    connections: number;
    batch: number;
    events: number | null;
    seconds: number | null;
    mostWaiting: number | null;
    signal: AbortSignal;
  },
): Promise<Stored> {
  const { mostWaiting, signal } = options;
  const load = await startLoad({ url: target.url, ...pick(options) }, signal);
  const before = await target.stored();
  const startedAt = performance.now();
  let result: LoadResult | null = null;
  const sent = load.go().then((done) => (result = done));
  // Its error is thrown below; until then the rejection must not end the process.
  sent.catch(() => {});
  let least = Number.POSITIVE_INFINITY;
  let movedAt = performance.now();
  for (;;) {
    signal.throwIfAborted();
    const wasSent = result !== null;
    const waiting = await target.waiting();
    if (mostWaiting !== null) load.hold(waiting * options.batch > mostWaiting);
    if (wasSent) {
      if (waiting === 0) break;
      if (waiting < least) movedAt = performance.now();
      least = Math.min(least, waiting);
      if (performance.now() - movedAt > STALLED_AFTER_MS) throw new Error(`${target.name} stores no more events`);
    }
    await Promise.race([delay(CHECK_EVERY_MS), ...(wasSent ? [] : [sent])]);
  }
  const elapsedMs = performance.now() - startedAt;
  const done = await sent;
  if (done.acked === 0) throw new Error(`${target.name} was sent nothing: fewer events than one batch has`);
  const stored = (await target.stored()) - before;
  if (stored !== done.acked)
    throw new Error(`${target.name} acknowledged ${done.acked} events and stored ${stored} of them`);
  return { eventsPerSecond: (stored * 1000) / elapsedMs, load: done };
}

function pick({ connections, batch, events, seconds }: Parameters<typeof measureStoring>[1]) {
  return { connections, batch, events, seconds };
}
