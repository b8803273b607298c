import { type Kysely, sql } from 'kysely';
import { lockInTransaction } from '@sluice/store/advisory-lock';
import { TenantRetention } from '@sluice/store/entities/tenant-retention';
import { LOCKED, now, type UnitOfWork } from '@sluice/store/entities/unit-of-work';
import { isoTime } from '@sluice/store/iso-time';
import { ApiError } from '@sluice/errors/api-errors';
import type { Operator } from '../keys/operator-keys.ts';
import { noteChange } from '../audit/audit.ts';

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
  unit: UnitOfWork,
  tenant: string,
  days: number,
  operator: Operator,
): Promise<RetentionRow> {
  await lockInTransaction(unit.db, `retention:${tenant}`);
  const retention = unit.entities.getRepository(TenantRetention);
  const present = await retention.findOne({ tenant }, LOCKED);
  const before = present?.days ?? null;
  if (present === null) retention.create({ tenant, days, updatedBy: operator.name });
  else retention.assign(present, { days, updatedAt: now(), updatedBy: operator.name });
  noteChange(unit, operator, { action: 'retention.set', affected: 1, details: { tenant, days, before } });
  await unit.write();
  return readTenantRetention(unit.db, tenant);
}

/**
 * Lets EVENT_RETENTION_DAYS hold for a tenant again. Noted in the audit log.
 *
 * @throws ApiError `not_found` when it has none of its own
 */
export async function clearRetention(unit: UnitOfWork, tenant: string, operator: Operator): Promise<RetentionRow> {
  const present = await unit.entities.getRepository(TenantRetention).findOne({ tenant }, LOCKED);
  if (present === null) return notThere(tenant);
  const row = await readTenantRetention(unit.db, tenant);
  unit.entities.remove(present);
  noteChange(unit, operator, { action: 'retention.clear', affected: 1, details: { tenant, before: row.days } });
  return row;
}

function notThere(tenant: string): never {
  throw new ApiError('not_found', `Tenant ${tenant} has no retention of its own; EVENT_RETENTION_DAYS holds for it.`);
}
