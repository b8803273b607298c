import { checkNamedTenant } from '@sluice/access/named-tenant';
import { DEFAULT_TENANT, type Principal } from '@sluice/access/principal';

/**
 * Whose events a request reads. Always one tenant's: every index begins with it.
 *
 * @param named what the request says; only a key of no tenant may choose
 * @throws ApiError `tenant_mismatch` when a key of one tenant names another
 */
export function tenantOf(named: string | undefined, { tenant }: Pick<Principal, 'tenant'>): string {
  if (tenant === null) return named ?? DEFAULT_TENANT;
  checkNamedTenant(named, tenant, 'The request');
  return tenant;
}
