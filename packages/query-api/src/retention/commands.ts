import type { Principal } from '@sluice/access/principal';
import { lockInTransaction } from '@sluice/store/advisory-lock';
import { TenantRetention } from '@sluice/store/entities/tenant-retention';
import { LOCKED, now, type UnitOfWork } from '@sluice/store/entities/unit-of-work';
import { noteChange } from '../audit/commands.ts';
import { notThere, readTenantRetention, type RetentionRow } from './rows.ts';

/** Sets the retention of a tenant, with an entry in the audit log. The next run of the job deletes what is due. */
export async function setRetention(
  unit: UnitOfWork,
  tenant: string,
  days: number,
  operator: Principal,
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
 * Deletes the retention of a tenant, with an entry in the audit log: EVENT_RETENTION_DAYS applies again.
 *
 * @throws ApiError `not_found` when the tenant has no retention of its own
 */
export async function clearRetention(unit: UnitOfWork, tenant: string, operator: Principal): Promise<RetentionRow> {
  const present = await unit.entities.getRepository(TenantRetention).findOne({ tenant }, LOCKED);
  if (present === null) return notThere(tenant);
  const row = await readTenantRetention(unit.db, tenant);
  unit.entities.remove(present);
  noteChange(unit, operator, { action: 'retention.clear', affected: 1, details: { tenant, before: row.days } });
  return row;
}
