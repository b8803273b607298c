import { type Kysely, sql } from 'kysely';
import { isoTime } from '@sluice/store/iso-time';
import { ApiError } from '@sluice/errors/api-errors';
import type { Operator } from '../keys/operator-keys.ts';
import { noteAction } from '../audit/audit.ts';

/** How long the events of one tenant are kept, where it has a time of its own. */
export interface RetentionRow {
  readonly tenant: string;
  /** 0 keeps for ever. */
  readonly days: number;
  readonly updated_at: string;
  readonly updated_by: string;
}

const columns = sql`tenant, days, ${isoTime('updated_at')} AS updated_at, updated_by`;

/** Those of tenants behind `after`, by name; of one tenant when the operator is of one. */
export async function readRetention(
  db: Kysely<unknown>,
  operator: Operator,
  page: { after: string; limit: number },
): Promise<RetentionRow[]> {
  const { rows } = await sql<RetentionRow>`
    SELECT ${columns} FROM tenant_retention
    WHERE tenant > ${page.after} AND (${operator.tenant}::text IS NULL OR tenant = ${operator.tenant})
    ORDER BY tenant LIMIT ${page.limit}`.execute(db);
  return rows;
}

/** @throws ApiError `not_found` when the tenant has none of its own */
export async function readTenantRetention(db: Kysely<unknown>, tenant: string): Promise<RetentionRow> {
  const { rows } = await sql<RetentionRow>`
    SELECT ${columns} FROM tenant_retention WHERE tenant = ${tenant}`.execute(db);
  return rows[0] ?? notThere(tenant);
}

/** Sets a tenant's time; what is due by it goes with the next run of the job. Noted in the audit log. */
export async function setRetention(
  db: Kysely<unknown>,
  tenant: string,
  days: number,
  operator: Operator,
): Promise<RetentionRow> {
  const before = await sql<{ days: number }>`
    SELECT days FROM tenant_retention WHERE tenant = ${tenant} FOR UPDATE`.execute(db);
  const { rows } = await sql<RetentionRow>`
    INSERT INTO tenant_retention (tenant, days, updated_by) VALUES (${tenant}, ${days}, ${operator.name})
    ON CONFLICT (tenant) DO UPDATE SET days = excluded.days, updated_at = now(), updated_by = excluded.updated_by
    RETURNING ${columns}`.execute(db);
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
export async function clearRetention(db: Kysely<unknown>, tenant: string, operator: Operator): Promise<RetentionRow> {
  const { rows } = await sql<RetentionRow>`
    DELETE FROM tenant_retention WHERE tenant = ${tenant} RETURNING ${columns}`.execute(db);
  const row = rows[0] ?? notThere(tenant);
  await noteAction(db, operator, { action: 'retention.clear', affected: 1, details: { tenant, before: row.days } });
  return row;
}

function notThere(tenant: string): never {
  throw new ApiError('not_found', `Tenant ${tenant} has no retention of its own; EVENT_RETENTION_DAYS holds for it.`);
}
