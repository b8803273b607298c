import { ApiError } from '@sluice/errors/api-errors';

/**
 * Checks what the body says about its owner. A key's tenant always wins, so a body that names another one
 * is a mistake or an attack, and is refused as a whole.
 *
 * @throws ApiError `tenant_mismatch`
 */
export function checkNamedTenant(named: unknown, tenant: string, where: string): void {
  if (named === undefined || named === null || named === tenant) return;
  throw new ApiError('tenant_mismatch', `${where} names another tenant than the one of this key (${tenant}).`);
}
