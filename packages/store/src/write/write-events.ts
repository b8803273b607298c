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
 * Stores the events of readable entries in one transaction: all ids go into the ledger, the events with new ids into
 * `events`, and sessions are counted from just those. It is one statement, which is a transaction by itself. Without BEGIN
 * and COMMIT there is one round trip instead of three; each would wait for the event loop, which decodes meanwhile. Only
 * entries that replay dead letters need another statement in the same transaction.
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

/** The first event of each id. ON CONFLICT handles an id that is twice in a batch, but the join back would double it. */
export function firstOfEachId<T extends Pick<CanonicalEvent, 'tenant' | 'eventId'>>(events: readonly T[]): T[] {
  const byId = new Map<string, T>();
  for (const event of events) {
    const key = `${event.eventId}${event.tenant}`;
    if (!byId.has(key)) byId.set(key, event);
  }
  return [...byId.values()];
}
