import { type Kysely, sql } from 'kysely';
import { noteAction } from '../audit/commands.ts';
import type { Principal } from '@sluice/access/principal';
import { notThere, RETENTION_COLUMNS, type RetentionRow } from './rows.ts';

/** Sets a tenant's time; what is due by it goes with the next run of the job. Noted in the audit log. */
export async function setRetention(
  db: Kysely<unknown>,
  tenant: string,
  days: number,
  operator: Principal,
): Promise<RetentionRow> {
  const before = await sql<{ days: number }>`
    SELECT days FROM tenant_retention WHERE tenant = ${tenant} FOR UPDATE`.execute(db);
  const { rows } = await sql<RetentionRow>`
    INSERT INTO tenant_retention (tenant, days, updated_by) VALUES (${tenant}, ${days}, ${operator.name})
    ON CONFLICT (tenant) DO UPDATE SET days = excluded.days, updated_at = now(), updated_by = excluded.updated_by
    RETURNING ${RETENTION_COLUMNS}`.execute(db);
  await noteAction(db, operator, {
    action: 'retention.set',
    affected: 1,
    details: { tenant, days, before: before.rows[0]?.days ?? null },
  });
  return rows[0]!;
}

/**
 * Lets EVENT_RETENTION_DAYS hold for a tenant again. Noted in the audit log.
 *
 * @throws ApiError `not_found` when it has none of its own
 */
export async function clearRetention(db: Kysely<unknown>, tenant: string, operator: Principal): Promise<RetentionRow> {
  const { rows } = await sql<RetentionRow>`
    DELETE FROM tenant_retention WHERE tenant = ${tenant} RETURNING ${RETENTION_COLUMNS}`.execute(db);
  const row = rows[0] ?? notThere(tenant);
  await noteAction(db, operator, { action: 'retention.clear', affected: 1, details: { tenant, before: row.days } });
  return row;
}
