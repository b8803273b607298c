import { type Kysely, sql } from 'kysely';

/**
 * Begins to store in the hot segment: from here to the end of the transaction it stays the hot one.
 *
 * Then the plans of this transaction are pinned to indexes. A plan made while a segment was empty reads it from end to end
 * for every id, long after it has filled: storing took 22 ms instead of 7 then.
 *
 * @returns number of the segment
 * @throws SL000 when no segment is hot
 */
export async function enterSegment(db: Kysely<unknown>): Promise<number> {
  const { rows } = await sql<{ segment: number }>`
    SELECT set_config('enable_seqscan', 'off', true), sluice_hot_segment() AS segment`.execute(db);
  return rows[0]!.segment;
}
