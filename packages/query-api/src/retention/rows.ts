import { type Kysely, sql } from 'kysely';
import type { Principal } from '@sluice/access/principal';
import { ApiError } from '@sluice/errors/api-errors';
import { isoTime } from '@sluice/store/iso-time';
import { comesAfter, type List, type Place } from '../http/paging.ts';
import { ownedBy } from '../sql/owned-by.ts';

/** The retention of a tenant that has its own. */
export interface RetentionRow {
  readonly tenant: string;
  /** 0 keeps them forever. */
  readonly days: number;
  readonly updated_at: string;
  readonly updated_by: string;
}

/** Columns of a tenant's retention. */
const RETENTION_COLUMNS = sql`tenant, days, ${isoTime('updated_at')} AS updated_at, updated_by`;

/** The list of tenants with their own retention. */
export const RETENTION: List = { of: 'retention', key: { tenant: 'text' }, order: 'asc' };

/** Reads a page of the tenants that the operator may see, by name. */
export async function listRetention(
  db: Kysely<unknown>,
  operator: Principal,
  page: { after: Place | undefined; limit: number },
): Promise<RetentionRow[]> {
  const { rows } = await sql<RetentionRow>`
    SELECT ${RETENTION_COLUMNS} FROM tenant_retention
    WHERE ${comesAfter(page.after, RETENTION)} AND ${ownedBy(operator)}
    ORDER BY tenant LIMIT ${page.limit}`.execute(db);
  return rows;
}

/** @throws ApiError `not_found` when the tenant has no retention of its own */
export async function readTenantRetention(db: Kysely<unknown>, tenant: string): Promise<RetentionRow> {
  const { rows } = await sql<RetentionRow>`
    SELECT ${RETENTION_COLUMNS} FROM tenant_retention WHERE tenant = ${tenant}`.execute(db);
  return rows[0] ?? notThere(tenant);
}

/** @throws ApiError `not_found` */
export function notThere(tenant: string): never {
  throw new ApiError('not_found', `Tenant ${tenant} has no retention of its own; EVENT_RETENTION_DAYS applies.`);
}
