import type { Kysely } from 'kysely';
import { inTransaction } from '@sluice/shared/database/in-transaction';
import type { Orm } from '@sluice/shared/database/orm';
import type { CanonicalEvent } from '@sluice/shared/events/canonical-event';
import type { DecodedEntry } from './decode-entry.ts';
import { insertEventsAndSessions } from './event-statements.ts';
import { settleReplays } from './settle-replays.ts';

/** What one transaction did; the three add up to the events and unreadable entries it was given. */
export interface Written {
  /** Events that are new. */
  readonly stored: number;
  /** Events whose id was there before, in the database or earlier in the same batch. */
  readonly duplicates: number;
  /** Dead letters that are new. */
  readonly dead: number;
}

/**
 * Stores the events of readable entries in one transaction: ids into the ledger, the events whose id is new
 * into `events`, and sessions counted from just these. One statement between BEGIN and COMMIT.
 *
 * @param stop cancels the statement on the server; the transaction is then rolled back
 * @throws what Postgres answered; nothing of the batch is stored then, unless the answer to COMMIT was lost
 */
export async function writeEvents(orm: Orm, entries: readonly DecodedEntry[], stop?: AbortSignal): Promise<Written> {
  const events = entries.flatMap((entry) => entry.events);
  const stored = await inTransaction(orm, async (db: Kysely<unknown>) => {
    const statement = insertEventsAndSessions(firstOfEachId(events));
    const result = await statement.execute(db, { signal: stop, inflightQueryAbortStrategy: 'cancel query' });
    await settleReplays(db, entries);
    return Number(result.rows[0]?.stored ?? 0);
  });
  return { stored, duplicates: events.length - stored, dead: 0 };
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
