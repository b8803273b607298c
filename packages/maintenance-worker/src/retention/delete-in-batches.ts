import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { JobRun } from '../jobs/job.ts';

/** Rows that one statement deletes. */
const BATCH = 1_000;

/**
 * Deletes the rows of a table that meet a condition, a thousand a statement, until a batch comes back short or the run
 * should end. Locked rows are left for the next run.
 *
 * @param order columns by which the first are found; an index should begin with them
 * @param already rows that the run has deleted elsewhere, for its progress
 * @returns how many were deleted
 */
export async function deleteInBatches(
  db: Kysely<unknown>,
  rows: { table: string; where: RawBuilder<unknown>; order: RawBuilder<unknown> },
  run: Pick<JobRun, 'signal' | 'progress'>,
  already = 0,
): Promise<number> {
  const table = sql.table(rows.table);
  let deleted = 0;
  for (let last = BATCH; last === BATCH && !run.signal.aborted;) {
    const result = await sql`
      DELETE FROM ${table} WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM ${table} WHERE ${rows.where} ORDER BY ${rows.order} LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
      ))`.execute(db);
    last = Number(result.numAffectedRows ?? 0);
    deleted += last;
    run.progress(already + deleted);
  }
  return deleted;
}
