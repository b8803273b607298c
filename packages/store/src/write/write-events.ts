import type { CanonicalEvent } from '@sluice/events/canonical-event';
import type { Database } from '../database.ts';
import { executeNamed } from '../named-statement.ts';
import type { Client } from '../pool.ts';
import { inTransaction } from '../transaction.ts';
import type { NewDeadLetter } from './dead-letter.ts';
import type { DecodedEntry } from './decode-entry.ts';
import { insertEventsAndSessions } from './event-statements.ts';
import { settleReplays } from './settle-replays.ts';

/** Name of the statement on each connection; its text is the same for all batches. */
const STORE_EVENTS = 'store-events';

/** What one transaction did; the three add up to the events and unreadable entries it was given. */
export interface Written {
  /** Events that are new. */
  readonly stored: number;
  /** Events whose id was there before, in the database or earlier in the same batch. */
  readonly duplicates: number;
  /** Dead letters that are new. */
  readonly dead: number;
  /** These, for the telemetry. */
  readonly letters: readonly NewDeadLetter[];
}

/**
 * Stores the events of readable entries in one transaction: ids into the ledger, the events whose id is new
 * into `events`, and sessions counted from just these. One statement, which is a transaction by itself: without BEGIN
 * and COMMIT there is one round trip instead of three, each of which waits until the event loop has decoded what came
 * meanwhile. Only entries that replay dead letters need another statement in the same transaction.
 *
 * @param options.stop cancels the statement on the server; the transaction is then rolled back
 * @param options.moved called after each statement
 * @throws what Postgres answered; nothing of the batch is stored then, unless the answer was lost
 */
export async function writeEvents(
  database: Database,
  entries: readonly DecodedEntry[],
  { stop, moved = () => {} }: { stop?: AbortSignal; moved?: () => void } = {},
): Promise<Written> {
  const events = entries.flatMap((entry) => entry.events);
  const query = insertEventsAndSessions(firstOfEachId(events)).compile(database.db);
  const insert = async (client: Client): Promise<number> => {
    const rows = await executeNamed(database, client, { name: STORE_EVENTS, query }, stop);
    moved();
    return Number(rows[0]?.stored ?? 0);
  };
  const stored = entries.some((entry) => entry.replayOf !== null)
    ? await inTransaction(database, async (db, client) => {
        const inserted = await insert(client);
        await settleReplays(db, entries);
        moved();
        return inserted;
      })
    : await database.withClient(insert);
  return { stored, duplicates: events.length - stored, dead: 0, letters: [] };
}

/** A batch may hold an id twice; ON CONFLICT sees that for the ledger, but the join back would double it. */
export function firstOfEachId<T extends Pick<CanonicalEvent, 'tenant' | 'eventId'>>(events: readonly T[]): T[] {
  const byId = new Map<string, T>();
  for (const event of events) {
    const key = `${event.eventId}${event.tenant}`;
    if (!byId.has(key)) byId.set(key, event);
  }
  return [...byId.values()];
}
