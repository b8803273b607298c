import { type Kysely, sql } from 'kysely';
import { withLockOn } from '../advisory-lock.ts';
import type { Database } from '../database.ts';
import { isoTime } from '../iso-time.ts';
import { withoutTimeouts } from '../without-timeouts.ts';
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
 * @param moved called after each step
 * @returns false when another process seals it
 * @throws when the signal is aborted; the running statement is cancelled then
 */
export function sealSegment(
  database: Database,
  relation: string,
  signal: AbortSignal,
  moved: () => void = () => {},
): Promise<boolean> {
  return database.withClient((client) =>
    withLockOn(database.on(client), `seal:${relation}`, () =>
      withoutTimeouts(database, client, async (db) => {
        const abort = { signal, inflightQueryAbortStrategy: 'cancel query' } as const;
        await sql`UPDATE segments SET sealing_at = clock_timestamp() WHERE relation = ${relation}`.execute(db);
        const steps = [
          ...HASHED_COLUMNS.map((column) => () => buildHashIndex(db, relation, column, abort)),
          () => sql`SELECT brin_summarize_new_values(${`${relation}_blocks`}::regclass)`.execute(db, abort),
          () => sql`VACUUM (FREEZE, ANALYZE, PARALLEL 0) ${sql.table(relation)}`.execute(db, abort),
          () => noteSealed(db, relation, abort),
        ];
        for (const step of steps) {
          signal.throwIfAborted();
          await step();
          moved();
        }
      }),
    ),
  );
}

/** Memory for one index build. With the server's default of 64 MB, half a million rows are sorted on disk. */
const INDEX_MEMORY = '128MB';

interface Abort {
  readonly signal: AbortSignal;
  readonly inflightQueryAbortStrategy: 'cancel query';
}

/**
 * Of all rows, also those without a value: the planner does not use the statistics of an expression whose index is partial,
 * and takes each value for one of two hundred.
 */
async function buildHashIndex(db: Kysely<unknown>, relation: string, column: string, abort: Abort): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await setForBuilding(transaction);
    await sql`
      CREATE INDEX IF NOT EXISTS ${sql.raw(`${relation}_${column}`)}
      ON ${sql.table(relation)} (${hashOf(sql.ref(column))}, occurred_at)`.execute(transaction, abort);
  });
}

/** Sets what an index build of this transaction may use. */
export async function setForBuilding(db: Kysely<unknown>): Promise<void> {
  await sql.raw(`SET LOCAL maintenance_work_mem = '${INDEX_MEMORY}'`).execute(db);
  // The other processors are the writers'.
  await sql.raw('SET LOCAL max_parallel_maintenance_workers = 0').execute(db);
}

/** Notes the bounds of a segment that nobody writes to, and that it is sealed. */
async function noteSealed(db: Kysely<unknown>, relation: string, abort: Abort): Promise<void> {
  const bounds = await readBounds(db, relation, abort);
  await sql`
    UPDATE segments SET state = 'sealed', sealed_at = clock_timestamp(), rows = ${bounds.rows},
      stored_from = ${bounds.storedFrom}::timestamptz, stored_to = ${bounds.storedTo}::timestamptz,
      occurred_from = ${bounds.occurredFrom}::timestamptz, occurred_to = ${bounds.occurredTo}::timestamptz,
      tx_to = ${bounds.txTo}::xid8
    WHERE relation = ${relation} AND state = 'closed'`.execute(db);
}

/** What a segment's rows lie between; see `Segment`. Null where it has none. */
export interface Bounds {
  readonly rows: string;
  readonly storedFrom: string | null;
  readonly storedTo: string | null;
  readonly occurredFrom: string | null;
  readonly occurredTo: string | null;
  readonly txTo: string | null;
}

/** Reads the bounds of a table of events: all of it. */
export async function readBounds(db: Kysely<unknown>, relation: string, abort?: Abort): Promise<Bounds> {
  const { rows } = await sql<Bounds>`
    SELECT count(*) AS rows, ${isoTime(sql`min(stored_at)`)} AS "storedFrom",
           ${isoTime(sql`max(stored_at) + interval '1 microsecond'`)} AS "storedTo",
           ${isoTime(sql`min(occurred_at)`)} AS "occurredFrom",
           ${isoTime(sql`max(occurred_at) + interval '1 microsecond'`)} AS "occurredTo", max(tx)::text AS "txTo"
    FROM ${sql.table(relation)}`.execute(db, abort);
  return rows[0]!;
}
