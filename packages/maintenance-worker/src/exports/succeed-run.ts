import { type Kysely, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import { inTransaction } from '@sluice/store/transaction';
import type { ExportRun, Publishing } from './export-states.ts';
import type { Window } from './fix-window.ts';
import { RunError } from './run-error.ts';

/**
 * Marks a run as succeeded and, in the same transaction, moves the position of a scheduled run's tenant from the start
 * of the window to its end. The manifest is published, so this overrules any other state that the row has by now.
 *
 * @throws RunError `superseded` when the position is not at the start of the window
 */
export async function succeedRun(
  database: Database,
  run: ExportRun,
  window: Window,
  { manifest, key }: Publishing,
): Promise<void> {
  await inTransaction(database, async (db) => {
    await sql`
      UPDATE export_runs
      SET state = 'succeeded', manifest = ${JSON.stringify(manifest)}::jsonb, manifest_key = ${key},
          rows_done = ${manifest.rows}, bytes_done = ${manifest.bytes}, error = NULL, error_code = NULL,
          finished_at = clock_timestamp()
      WHERE id = ${run.id}::uuid`.execute(db);
    if (run.trigger === 'schedule' || run.trigger === 'rebase') await movePosition(db, run, window);
  });
}

async function movePosition(db: Kysely<unknown>, run: ExportRun, { from, to }: Window): Promise<void> {
  const values = sql`${to.tx}::xid8, ${to.systemIdentifier}, ${to.fencedAt}::timestamptz, ${to.floor}::timestamptz,
    ${to.base}::timestamptz, ${run.id}::uuid`;
  const moved =
    from === null
      ? await sql<object>`
          INSERT INTO export_positions (tenant, tx, system_identifier, fenced_at, floor, base, run_id)
          VALUES (${run.tenant}, ${values}) ON CONFLICT (tenant) DO NOTHING RETURNING tenant`.execute(db)
      : await sql<object>`
          UPDATE export_positions
          SET (tx, system_identifier, fenced_at, floor, base, run_id) = ROW (${values})
          WHERE tenant = ${run.tenant} AND tx = ${from.tx}::xid8 AND system_identifier = ${from.systemIdentifier}
          RETURNING tenant`.execute(db);
  if (moved.rows.length === 0) throw new RunError('superseded', 'A later run has exported this window already.');
}
