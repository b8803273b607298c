import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import { WIRE_COLUMNS } from '@sluice/store/wire-columns';
import { allOf } from '../events/event-filter.ts';

/**
 * Where a reader of committed events stands. Events are in the order of their transactions' ids, and of their own ids
 * within one; a transaction that commits late is waited for, so nothing ever turns up behind a reader.
 */
export interface TailPosition {
  /** Id of the transaction: an xid8. */
  readonly tx: bigint;
  /** The last event that was read of it; null for none. */
  readonly eventId: string | null;
}

/** An event together with where it stands. */
export interface CommittedEvent extends StoredEvent {
  readonly tenant: string;
  /** An xid8, as text. */
  readonly tx: string;
  /** Milliseconds since 1970. */
  readonly stored_ms: string;
}

/** Events read in one statement: the largest of them are 256 MiB together, usual ones half a megabyte. */
export const TAIL_CHUNK = 1_000;

/** What one statement reads. */
export interface TailWindow {
  readonly after: TailPosition;
  /** Every transaction below this has ended. */
  readonly before: bigint;
  /** No event of the window was stored before this, ISO 8601. Prunes partitions and blocks; `tx` has no index. */
  readonly storedSince: string;
  /** Which of them. */
  readonly condition: RawBuilder<SqlBool>;
}

/** The next events of a window, in order, at most `TAIL_CHUNK`. */
export async function readCommitted(
  db: Kysely<unknown>,
  { after, before, storedSince, condition }: TailWindow,
): Promise<readonly CommittedEvent[]> {
  const beyond =
    after.eventId === null
      ? sql<SqlBool>`true`
      : sql<SqlBool>`(tx, event_id) > (${String(after.tx)}::xid8, ${after.eventId}::uuid)`;
  const inWindow = sql<SqlBool>`stored_at >= ${storedSince}::timestamptz AND tx >= ${String(after.tx)}::xid8 AND tx < ${String(before)}::xid8`;
  const { rows } = await sql<CommittedEvent>`
    SELECT tenant, tx::text AS tx, floor(extract(epoch FROM stored_at) * 1000)::text AS stored_ms, ${WIRE_COLUMNS}
    FROM (SELECT * FROM events WHERE ${allOf([inWindow, beyond, condition])} ORDER BY tx, event_id LIMIT ${TAIL_CHUNK}) AS events
    ORDER BY events.tx, events.event_id`.execute(db);
  return rows;
}
