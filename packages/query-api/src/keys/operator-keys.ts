import { createKeyRing, type KeyRing, type KnownKey, refuseTwoOwners } from '@sluice/access/key-ring';
import { configuredPrincipal } from '@sluice/access/principal';
import { SCOPES, type Scope } from '@sluice/access/scopes';
import { sha256 } from '@sluice/access/sha256';

/** The scopes of the keys of OPERATOR_KEYS. */
const OPERATOR_SCOPES: readonly Scope[] = ['read', 'operate'];

/**
 * Reads the configured keys: API_KEY and OPERATOR_KEYS.
 *
 * @param apiKey the key with every scope
 * @param operatorKeys `name:sha256-in-hex` or `name@tenant:sha256-in-hex` each
 * @param requireKeys true for a ring that is never open, even when empty
 * @throws ConfigError when one key is given to two operators
 */
export function parseOperatorKeys(
  apiKey: string | undefined,
  operatorKeys: readonly string[] | undefined,
  requireKeys: boolean,
): KeyRing {
  const known = (operatorKeys ?? []).map((entry) => {
    const [who = '', digest = ''] = entry.split(':');
    const [name = '', tenant = null] = who.split('@');
    return knownKey(Buffer.from(digest, 'hex'), name, tenant, OPERATOR_SCOPES);
  });
  if (apiKey !== undefined) known.push(knownKey(sha256(apiKey), 'api-key', null, SCOPES));
  refuseTwoOwners('OPERATOR_KEYS', known, ({ name, tenant }) => (tenant === null ? name : `${name}@${tenant}`));
  return createKeyRing(known, apiKey === undefined && operatorKeys === undefined && !requireKeys);
}

function knownKey(digest: Buffer, name: string, tenant: string | null, scopes: readonly Scope[]): KnownKey {
  return { digest, owner: configuredPrincipal({ id: `${name}@${tenant ?? ''}`, name, tenant, scopes }) };
}
