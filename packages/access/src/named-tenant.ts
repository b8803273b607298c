import { ApiError } from '@sluice/errors/api-errors';

/**
 * Checks the tenant that a body names. The key decides the tenant, so a body that names another one is a mistake or an
 * attack. It is refused as a whole.
 *
 * @throws ApiError `tenant_mismatch`
 */
export function checkNamedTenant(named: unknown, tenant: string, where: string): void {
  if (named === undefined || named === null || named === tenant) return;
  throw new ApiError('tenant_mismatch', `${where} names another tenant than the one of this key (${tenant}).`);
}
