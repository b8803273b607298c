import { type Kysely, sql } from 'kysely';
import { checkNamedTenant } from '@sluice/access/named-tenant';
import { ApiError } from '@sluice/errors/api-errors';
import type { Operator } from '../keys/operator-keys.ts';

/** Whose events are meant when an operator of all tenants names none: the tenant of API_KEY. */
const DEFAULT_TENANT = 'default';

/**
 * Whose exports a request is about: the operator's tenant, or the one that an operator of all tenants names.
 *
 * @throws ApiError `tenant_mismatch` when an operator of one tenant names another
 */
export function exportTenant(operator: Operator, named: string | undefined): string {
  if (operator.tenant === null) return named ?? DEFAULT_TENANT;
  checkNamedTenant(named, operator.tenant, 'tenant');
  return operator.tenant;
}

/** @throws ApiError `not_found` for a tenant of which there is nothing: most likely a typing error */
export async function requireTenant(db: Kysely<unknown>, tenant: string): Promise<void> {
  const { rows } = await sql<{ known: boolean }>`
    SELECT EXISTS (SELECT FROM event_ids WHERE tenant = ${tenant})
        OR EXISTS (SELECT FROM sessions WHERE tenant = ${tenant})
        OR EXISTS (SELECT FROM export_configs WHERE tenant = ${tenant}) AS known`.execute(db);
  if (rows[0]?.known === true) return;
  throw new ApiError('not_found', `tenant "${tenant}" has no event, no session and no export configuration.`);
}
