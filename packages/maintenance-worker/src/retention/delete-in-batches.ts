import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { JobRun } from '../jobs/job.ts';

/**
 * Deletes expired rows of one or more tables, one after the other, a thousand a statement. Locked rows are left for the
 * next run. Stops between two statements when the run should end.
 *
 * @returns the number of deleted rows of each, in the same order
 */
export async function deleteInBatches(
  db: Kysely<unknown>,
  expired: readonly ExpiredRows[],
  run: Pick<JobRun, 'signal' | 'progress'>,
): Promise<number[]> {
  const deleted: number[] = [];
  let total = 0;
  for (const { table: name, where, order } of expired) {
    const table = sql.table(name);
    const before = total;
    for (let last = BATCH; last === BATCH && !run.signal.aborted;) {
      const result = await sql`
        DELETE FROM ${table} WHERE ctid = ANY(ARRAY(
          SELECT ctid FROM ${table} WHERE ${where} ORDER BY ${order} LIMIT ${BATCH} FOR UPDATE SKIP LOCKED
        ))`.execute(db);
      last = Number(result.numAffectedRows ?? 0);
      total += last;
      run.progress(total);
    }
    deleted.push(total - before);
  }
  return deleted;
}

/** Rows of one table that are past their retention. */
export interface ExpiredRows {
  readonly table: string;
  readonly where: RawBuilder<unknown>;
  /** Columns by which the first rows are found; an index should begin with them. */
  readonly order: RawBuilder<unknown>;
}

/** Rows that one statement deletes. */
const BATCH = 1_000;
