import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { StoredEvent } from '@sluice/events/adapters/to-wire';
import type { Database } from '@sluice/store/database';
import { inSegments, readableSegments } from '@sluice/store/layout/readable-segments';
import { readByIndex } from '@sluice/store/read-by-index';
import { wireColumns } from '@sluice/store/wire-columns';
import { chunkOfEvents } from '../events/chunk-of-events.ts';
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

/** Most events in one statement; their payloads together are at most `READ_CHUNK_BYTES`. */
const TAIL_CHUNK = 1_000;

/** The range of one statement. */
export interface TailWindow {
  readonly after: TailPosition;
  /** Every transaction below this has ended. */
  readonly before: bigint;
  /** No event of the window was stored before this, ISO 8601. Prunes segments and blocks, because `tx` has no index. */
  readonly storedSince: string;
  /** Selects events of the window. */
  readonly condition: RawBuilder<SqlBool>;
}

/** Some events of a window. */
export interface CommittedChunk {
  readonly events: readonly CommittedEvent[];
  /** Characters of their payloads. */
  readonly chars: number;
  /** Whether more of the window may follow. */
  readonly more: boolean;
}

/** Reads the next events of a window, in order. */
export async function readCommitted(
  database: Database,
  { after, before, storedSince, condition }: TailWindow,
): Promise<CommittedChunk> {
  const beyond =
    after.eventId === null
      ? sql<SqlBool>`true`
      : sql<SqlBool>`(tx, event_id) > (${String(after.tx)}::xid8, ${after.eventId}::uuid)`;
  const inWindow = sql<SqlBool>`stored_at >= ${storedSince}::timestamptz AND tx >= ${String(after.tx)}::xid8 AND tx < ${String(before)}::xid8`;
  const segments = await readableSegments(database.db, { storedFrom: storedSince, txFrom: String(after.tx) });
  const found = sql`
    SELECT * FROM events WHERE ${allOf([inSegments(segments), inWindow, beyond, condition])}
    ORDER BY tx, event_id LIMIT ${TAIL_CHUNK}`;
  const { rows } = await readByIndex(database, (db) =>
    sql<CommittedEvent & { read_found: string }>`
      SELECT tenant, tx::text AS tx, floor(extract(epoch FROM stored_at) * 1000)::text AS stored_ms, ${wireColumns(sql`payload`)},
             read_found
      FROM (${chunkOfEvents(found, sql`tx, event_id`)}) AS events ORDER BY chunk_row`.execute(db),
  );
  const count = Number(rows[0]?.read_found ?? 0);
  const chars = rows.reduce((sum, { payload }) => sum + payload.length, 0);
  return { events: rows, chars, more: rows.length < count || count === TAIL_CHUNK };
}
