import { checkNamedTenant } from '@sluice/access/named-tenant';
import { DEFAULT_TENANT, type Principal } from '@sluice/access/principal';

/**
 * The tenant whose events a request reads. It is always one tenant: every index begins with it.
 *
 * @param named the tenant that the request names; only a key of all tenants may choose
 * @throws ApiError `tenant_mismatch` when a key of one tenant names another
 */
export function tenantOf(named: string | undefined, { tenant }: Pick<Principal, 'tenant'>): string {
  if (tenant === null) return named ?? DEFAULT_TENANT;
  checkNamedTenant(named, tenant, 'The request');
  return tenant;
}
