import { type RawBuilder, sql } from 'kysely';
import type { Database } from '@sluice/store/database';
import type { Fence } from '@sluice/store/fence/fence';
import { inTransaction } from '@sluice/store/transaction';

/**
 * Moves the position of a tenant up to a fence below which none of its events waits, as an export of nothing would: so
 * that its status does not say that it lags, and retention does not wait for it.
 *
 * It does nothing while the tenant has an open run, whose window begins at the position.
 */
export async function movePastNothing(database: Database, tenant: string, fence: Fence): Promise<void> {
  await inTransaction(database, async (db) => {
    // In a statement before, so that the next one sees every run that was queued by then.
    await sql`SELECT ${positionLock(tenant)}`.execute(db);
    await sql`
      UPDATE export_positions
      SET tx = ${fence.tx}::xid8, fenced_at = ${fence.fencedAt}::timestamptz, floor = ${fence.floor}::timestamptz,
          base = ${fence.base}::timestamptz
      WHERE tenant = ${tenant} AND system_identifier = ${fence.systemIdentifier} AND tx < ${fence.tx}::xid8
        AND NOT EXISTS (
          SELECT FROM export_runs WHERE tenant = ${tenant} AND trigger IN ('schedule', 'rebase')
            AND state IN ('queued', 'running', 'paused'))`.execute(db);
  });
}

/** Lets one transaction at a time queue a scheduled run of a tenant, or move its position without one. */
export function positionLock(tenant: string): RawBuilder<unknown> {
  return sql`pg_advisory_xact_lock(hashtextextended(${`export-position:${tenant}`}, 0))`;
}
