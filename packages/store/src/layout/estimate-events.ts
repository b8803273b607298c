import { type Kysely, sql } from 'kysely';

/** Estimates how many events segments hold, by the planner's statistics; null where there are none yet. */
export async function estimateEvents(
  db: Kysely<unknown>,
  relations: readonly string[],
): Promise<{ segment: string; events: number | null }[]> {
  const { rows } = await sql<{ segment: string; events: number | null }>`
    SELECT name AS segment, nullif(reltuples, -1)::float8 AS events
    FROM unnest(${relations}::text[]) WITH ORDINALITY AS n (name, at) JOIN pg_class ON pg_class.oid = to_regclass(name)
    ORDER BY at`.execute(db);
  return rows;
}

/** Estimates how many events there are, by the planner's statistics. A count would have to read them all. */
export async function estimateAllEvents(db: Kysely<unknown>): Promise<number> {
  const { rows } = await sql<{ events: number }>`
    SELECT coalesce(sum(greatest(reltuples, 0)), 0)::float8 AS events
    FROM pg_partition_tree('events') AS t JOIN pg_class ON pg_class.oid = t.relid WHERE t.isleaf`.execute(db);
  return Math.round(rows[0]!.events);
}
