import { type Kysely, sql } from 'kysely';

/**
 * How old the folded rows are, in seconds: everything that was committed longer ago is in. Null before the first fold. On a
 * replica this includes its lag.
 */
export async function foldAgeSeconds(db: Kysely<unknown>): Promise<number | null> {
  const { rows } = await sql<{ age: number | null }>`
    SELECT greatest(0, extract(epoch FROM clock_timestamp() - folded_to))::float8 AS age
    FROM rollup_generations WHERE state = 'live'`.execute(db);
  return rows[0]?.age ?? null;
}
