import { type Kysely, sql } from 'kysely';

/** The segment that events are stored in, as it looks at a moment. */
export interface HotSegment {
  readonly relation: string;
  /** Estimated number of its events. A count would read them all. */
  readonly events: number;
  readonly blocks: number;
  /** Number of its events when it was analysed last; -1 before that. */
  readonly analysedAt: number;
  /** It became hot before Monday 00:00 UTC of the current week. */
  readonly isOfEarlierWeek: boolean;
  /** Whether a segment is there to take its place. */
  readonly hasNext: boolean;
}

/** Events in a block of 8 KiB, until ANALYZE has counted: of 400 bytes each. */
const EVENTS_IN_BLOCK = 20;

/**
 * Reads the hot segment, without reading its events. The number of them comes from its size and the density at the last
 * ANALYZE; before that from the server's statistics, which are a second old, and gone after a crash.
 *
 * @returns null when there is none
 */
export async function readHotSegment(db: Kysely<unknown>): Promise<HotSegment | null> {
  const { rows } = await sql<HotSegment>`
    SELECT relation, blocks::float8 AS blocks, analysed::float8 AS "analysedAt",
           CASE WHEN blocks = 0 THEN 0
                WHEN analysed > 0 AND pages > 0 THEN analysed / pages * blocks
                WHEN live > 0 THEN live
                ELSE blocks * ${EVENTS_IN_BLOCK}::integer END::float8 AS events,
           hot_at < date_trunc('week', clock_timestamp(), 'UTC') AS "isOfEarlierWeek",
           EXISTS (SELECT FROM segments WHERE state = 'next') AS "hasNext"
    FROM (SELECT s.relation, s.hot_at, c.reltuples AS analysed, c.relpages AS pages, pg_stat_get_live_tuples(c.oid) AS live,
                 pg_relation_size(c.oid) / current_setting('block_size')::integer AS blocks
          FROM segments AS s JOIN pg_class AS c ON c.oid = to_regclass(s.relation) WHERE s.state = 'hot') AS h`.execute(
    db,
  );
  return rows[0] ?? null;
}

/** Lets the week of an empty hot segment begin now, so that its first events do not close it. */
export async function beginWeek(db: Kysely<unknown>, relation: string): Promise<void> {
  await sql`
    UPDATE segments SET hot_at = clock_timestamp() WHERE relation = ${relation} AND state = 'hot'`.execute(db);
}
