import { type Kysely, sql } from 'kysely';

/** About how many events some partitions hold, by the planner's statistics; null where there are none yet. */
export async function estimateEvents(
  db: Kysely<unknown>,
  names: readonly string[],
): Promise<{ partition: string; events: number | null }[]> {
  const { rows } = await sql<{ partition: string; events: number | null }>`
    SELECT name AS partition, nullif(reltuples, -1)::float8 AS events
    FROM unnest(${names}::text[]) WITH ORDINALITY AS n (name, at) JOIN pg_class ON pg_class.oid = to_regclass(name)
    ORDER BY at`.execute(db);
  return rows;
}
