import type { CanonicalEvent } from '@sluice/events/canonical-event';
import type { Database } from '../database.ts';
import { executeNamed } from '../named-statement.ts';
import { inTransaction } from '../transaction.ts';
import type { NewDeadLetter } from './dead-letter.ts';
import type { DecodedEntry } from './decode-entry.ts';
import { enterSegment } from './enter-segment.ts';
import { insertEvents } from './event-statements.ts';
import { settleReplays } from './settle-replays.ts';

/** Name of the statement on each connection, before the segment's number; its text is the same for all batches. */
const STORE_EVENTS = 'store-events';

/** What one transaction did. The three numbers add up to the events and unreadable entries it was given. */
export interface Written {
  /** Number of new events. */
  readonly stored: number;
  /** Number of events whose id was there before, in the database or earlier in the same batch. */
  readonly duplicates: number;
  /** Number of new dead letters. */
  readonly dead: number;
  /** The new dead letters, for telemetry. */
  readonly letters: readonly NewDeadLetter[];
}

/**
 * Stores the events of readable entries in one transaction: those whose id is in no segment go into the hot one.
 *
 * @param options.stop cancels the statement on the server; the transaction is then rolled back
 * @param options.moved called after each statement
 * @throws what Postgres answered; then nothing of the batch is stored, unless the answer was lost
 */
export async function writeEvents(
  database: Database,
  entries: readonly DecodedEntry[],
  { stop, moved = () => {} }: { stop?: AbortSignal; moved?: () => void } = {},
): Promise<Written> {
  const events = entries.flatMap((entry) => entry.events);
  const stored = await inTransaction(database, async (db, client) => {
    const segment = await enterSegment(db);
    const query = insertEvents(firstOfEachId(events), segment).compile(db);
    const rows = await executeNamed(database, client, { name: `${STORE_EVENTS}-${segment}`, query }, stop);
    moved();
    if (entries.some((entry) => entry.replayOf !== null)) {
      await settleReplays(db, entries, segment);
      moved();
    }
    return Number(rows[0]?.stored ?? 0);
  });
  return { stored, duplicates: events.length - stored, dead: 0, letters: [] };
}

/** The first event of each id. ON CONFLICT handles an id that is twice in a batch, but the join back would double it. */
export function firstOfEachId<T extends Pick<CanonicalEvent, 'tenant' | 'eventId'>>(events: readonly T[]): T[] {
  const byId = new Map<string, T>();
  for (const event of events) {
    const key = `${event.eventId}${event.tenant}`;
    if (!byId.has(key)) byId.set(key, event);
  }
  return [...byId.values()];
}
