import { type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import { WIRE_COLUMNS } from '@sluice/store/wire-columns';
import { allOf } from '../events/event-filter.ts';

/**
 * How far a reader of committed events has come. Events are ordered by transaction id, then by event id. Readers wait for
 * a transaction that commits late, so no event ever appears before a reader's position.
 */
export interface TailPosition {
  /** Id of the transaction: an xid8. */
  readonly tx: bigint;
  /** The last event of it that was read; null for none. */
  readonly eventId: string | null;
}

/** An event with its position. */
export interface CommittedEvent extends StoredEvent {
  readonly tenant: string;
  /** An xid8, as text. */
  readonly tx: string;
  /** Milliseconds since 1970. */
  readonly stored_ms: string;
}

/** Events in one statement: 256 MiB of the largest, half a megabyte of usual ones. */
export const TAIL_CHUNK = 1_000;

/** The range of one statement. */
export interface TailWindow {
  readonly after: TailPosition;
  /** Every transaction below this has ended. */
  readonly before: bigint;
  /** No event of the window was stored before this, ISO 8601. Prunes partitions and blocks, because `tx` has no index. */
  readonly storedSince: string;
  /** Selects events of the window. */
  readonly condition: RawBuilder<SqlBool>;
}

/** Reads the next events of a window, in order, at most `TAIL_CHUNK`. */
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
