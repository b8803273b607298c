import type { Credentials } from './destination.ts';
import { type Sealed, type SealingKeys, seal, unseal } from './sealed-secrets.ts';

/** The two places that files of one export go to. */
export type DestinationRole = 'destination' | 'backup';

/** A tenant's credentials; a role is left out when the AWS SDK's own chain is asked for it. */
export type TenantCredentials = { readonly [role in DestinationRole]?: Credentials };

/** What the seal is bound to, beside the tenant. */
const CREDENTIALS_PURPOSE = 'export-credentials';

/** @returns null when there is nothing to seal */
export function sealCredentials(keys: SealingKeys, tenant: string, credentials: TenantCredentials): Sealed | null {
  if (credentials.destination === undefined && credentials.backup === undefined) return null;
  return seal(keys, JSON.stringify(credentials), { tenant, purpose: CREDENTIALS_PURPOSE });
}

/** @throws SealError naming the key that is missing, or that they can't be opened with */
export function openCredentials(keys: SealingKeys, tenant: string, sealed: Sealed | null): TenantCredentials {
  if (sealed === null) return {};
  return JSON.parse(unseal(keys, sealed, { tenant, purpose: CREDENTIALS_PURPOSE })) as TenantCredentials;
}
