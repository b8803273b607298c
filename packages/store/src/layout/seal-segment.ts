import { type Kysely, sql } from 'kysely';
import type { Database } from '../database.ts';
import { isoTime } from '../iso-time.ts';
import { inTransaction } from '../transaction.ts';
import { hashOf, HASHED_COLUMNS } from './hashed-columns.ts';

/**
 * Seals a closed segment, beside writers of later ones:
 *
 *     five indexes ─► rest of the block ranges ─► VACUUM (FREEZE, ANALYZE) ─► bounds and state `sealed`
 *
 * Each step commits by itself and can be the last: the catalog says which indexes are missing, and the rest is done again.
 * An index is built plainly and not CONCURRENTLY: nobody inserts into a closed segment, so its lock stops nobody but a
 * DELETE of retention.
 *
 * @throws when the signal is aborted between two steps
 */
export async function sealSegment(database: Database, relation: string, signal: AbortSignal): Promise<void> {
  for (const column of HASHED_COLUMNS) {
    signal.throwIfAborted();
    await inTransaction(database, (db) => buildHashIndex(db, relation, column));
  }
  signal.throwIfAborted();
  const { db } = database;
  await sql`SELECT brin_summarize_new_values(${`${relation}_blocks`}::regclass)`.execute(db);
  signal.throwIfAborted();
  await sql`VACUUM (FREEZE, ANALYZE) ${sql.table(relation)}`.execute(db);
  signal.throwIfAborted();
  await noteSealed(db, relation);
}

/** Memory for one index build. With the server's default of 64 MB, half a million rows are sorted on disk. */
const INDEX_MEMORY = '128MB';

/**
 * Of all rows, also those without a value: the planner does not use the statistics of an expression whose index is partial,
 * and takes each value for one of two hundred.
 */
async function buildHashIndex(db: Kysely<unknown>, relation: string, column: string): Promise<void> {
  await sql.raw(`SET LOCAL maintenance_work_mem = '${INDEX_MEMORY}'`).execute(db);
  // The other processors are the writers'.
  await sql.raw('SET LOCAL max_parallel_maintenance_workers = 0').execute(db);
  await sql`
    CREATE INDEX IF NOT EXISTS ${sql.raw(`${relation}_${column}`)}
    ON ${sql.table(relation)} (${hashOf(sql.ref(column))}, occurred_at)`.execute(db);
}

/** Notes the bounds of a segment that nobody writes to, and that it is sealed. */
async function noteSealed(db: Kysely<unknown>, relation: string): Promise<void> {
  const { rows } = await sql<Bounds>`
    SELECT count(*) AS rows, ${isoTime(sql`min(stored_at)`)} AS stored_from, ${isoTime(sql`max(stored_at) + interval '1 microsecond'`)} AS stored_to,
           ${isoTime(sql`min(occurred_at)`)} AS occurred_from, ${isoTime(sql`max(occurred_at) + interval '1 microsecond'`)} AS occurred_to,
           max(tx)::text AS tx_to
    FROM ${sql.table(relation)}`.execute(db);
  const bounds = rows[0]!;
  await sql`
    UPDATE segments SET state = 'sealed', sealed_at = clock_timestamp(), rows = ${bounds.rows},
      stored_from = ${bounds.stored_from}::timestamptz, stored_to = ${bounds.stored_to}::timestamptz,
      occurred_from = ${bounds.occurred_from}::timestamptz, occurred_to = ${bounds.occurred_to}::timestamptz,
      tx_to = ${bounds.tx_to}::xid8
    WHERE relation = ${relation} AND state = 'closed'`.execute(db);
}

interface Bounds {
  rows: string;
  stored_from: string | null;
  stored_to: string | null;
  occurred_from: string | null;
  occurred_to: string | null;
  tx_to: string | null;
}
