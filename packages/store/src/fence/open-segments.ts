import { type Kysely, sql } from 'kysely';

/**
 * The number of the first segment that may hold a row at or after a position: one with `tx >= tx` and `stored_at >= floor`.
 * Older segments are sealed, and their bounds say that they hold none; one without rows has no bounds. Bind it as a parameter, `segment >= $1::integer`, so
 * that the planner skips them.
 *
 * @param position `tx` as an xid8 in text, `floor` as a time in text
 * @returns 0 where weekly partitions may hold one
 */
export async function firstOpenSegment(
  db: Kysely<unknown>,
  { tx, floor }: { readonly tx: string; readonly floor: string },
): Promise<number> {
  const { rows } = await sql<{ first: number }>`
    SELECT coalesce(min(segment_from) FILTER (WHERE rows IS DISTINCT FROM 0
                                                AND (stored_to IS NULL OR stored_to > ${floor}::timestamptz)
                                                AND (tx_to IS NULL OR tx_to >= ${tx}::xid8)),
                    max(segment_to), 0) AS first
    FROM segments`.execute(db);
  return rows[0]!.first;
}
