import { type Kysely, sql } from 'kysely';
import { isoTime } from '../iso-time.ts';

/** A partition of `events`, as in the catalog. */
export interface ListedPartition {
  readonly name: string;
  /** Bounds of its `stored_at`: inclusive, exclusive. ISO 8601, UTC. */
  readonly from: string;
  readonly to: string;
  /** A DETACH CONCURRENTLY of it was interrupted: queries no longer see it, and it must be finalized. */
  readonly detachPending: boolean;
}

/** All partitions of `events`, oldest first. */
export async function listPartitions(db: Kysely<unknown>): Promise<ListedPartition[]> {
  const { rows } = await sql<ListedPartition>`
    SELECT name, ${isoTime(sql`bounds[1]::timestamptz`)} AS "from", ${isoTime(sql`bounds[2]::timestamptz`)} AS "to", pending AS "detachPending"
    FROM (SELECT c.relname AS name, i.inhdetachpending AS pending,
                 regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM [(]'(.+)'[)] TO [(]'(.+)'[)]$$) AS bounds
          FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
          WHERE i.inhparent = 'events'::regclass) AS p
    WHERE bounds IS NOT NULL
    ORDER BY bounds[1]::timestamptz`.execute(db);
  return rows;
}
