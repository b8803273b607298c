import type { Credentials } from './destination.ts';
import { type Sealed, type SealingKeys, seal, unseal } from './sealed-secrets.ts';

/** The two destinations of one export. */
export type DestinationRole = 'destination' | 'backup';

/** A tenant's credentials; a role without any uses the AWS SDK's own chain. */
export type TenantCredentials = { readonly [role in DestinationRole]?: Credentials };

/** The seal is bound to this and to the tenant. */
const CREDENTIALS_PURPOSE = 'export-credentials';

/** Seals a tenant's credentials. @returns null when there is nothing to seal */
export function sealCredentials(keys: SealingKeys, tenant: string, credentials: TenantCredentials): Sealed | null {
  if (credentials.destination === undefined && credentials.backup === undefined) return null;
  return seal(keys, JSON.stringify(credentials), { tenant, purpose: CREDENTIALS_PURPOSE });
}

/** Opens a tenant's credentials. @throws SealError naming the key that is missing or does not open them */
export function openCredentials(keys: SealingKeys, tenant: string, sealed: Sealed | null): TenantCredentials {
  if (sealed === null) return {};
  return JSON.parse(unseal(keys, sealed, { tenant, purpose: CREDENTIALS_PURPOSE })) as TenantCredentials;
}
