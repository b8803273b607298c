import { createKeyRing, type KeyRing, type KnownKey } from '@sluice/access/key-ring';
import { SCOPES, type Scope } from '@sluice/access/scopes';
import { sha256 } from '@sluice/access/sha256';
import { refuseSharedKeys } from '@sluice/access/shared-keys';
import type { StoredKey } from '@sluice/access/stored-keys';

/** Who asks; what may be seen is bounded by the tenant. */
export interface Operator {
  /** Goes into the audit log. */
  readonly name: string;
  /** Whose rows it may see and act on; null for all. */
  readonly tenant: string | null;
}

/** An operator together with what its key may do. */
export interface Caller extends Operator {
  /** What a rate limit is counted for: the key. */
  readonly id: string;
  readonly scopes: readonly Scope[];
  /** The key's own limit; null for RATE_LIMIT_PER_MINUTE. */
  readonly requestsPerMinute: number | null;
  /** Milliseconds since 1970; null for a key that does not expire. */
  readonly expiresAt: number | null;
}

/** Who asks when the query API runs open. */
export const ANONYMOUS = configured('anonymous', null, SCOPES);

/** What the keys of OPERATOR_KEYS may do. */
const OPERATOR_SCOPES: readonly Scope[] = ['read', 'operate'];

/**
 * @param apiKey the key with every right
 * @param operatorKeys `name:sha256-in-hex` or `name@tenant:sha256-in-hex` each
 * @param requireKeys true for a ring that is not open, however empty it is
 * @throws ConfigError when one key is given to two operators
 */
export function parseOperatorKeys(
  apiKey: string | undefined,
  operatorKeys: readonly string[] | undefined,
  requireKeys: boolean,
): KeyRing<Caller> {
  const known: KnownKey<Caller>[] = (operatorKeys ?? []).map((entry) => {
    const [who = '', digest = ''] = entry.split(':');
    const [name = '', tenant = null] = who.split('@');
    return { digest: Buffer.from(digest, 'hex'), owner: configured(name, tenant, OPERATOR_SCOPES) };
  });
  if (apiKey !== undefined) known.push({ digest: sha256(apiKey), owner: configured('api-key', null, SCOPES) });
  refuseSharedKeys('OPERATOR_KEYS', known, ({ name, tenant }) => (tenant === null ? name : `${name}@${tenant}`));
  return createKeyRing(known, apiKey === undefined && operatorKeys === undefined && !requireKeys);
}

/** Who asks with a stored key. The id tells keys of one name apart, and from names of OPERATOR_KEYS. */
export function callerOf({ id, name, tenant, scopes, requestsPerMinute, expiresAt }: StoredKey): Caller {
  return { id, name: `${name} (${id})`, tenant, scopes, requestsPerMinute, expiresAt };
}

function configured(name: string, tenant: string | null, scopes: readonly Scope[]): Caller {
  return { id: `${name}@${tenant ?? ''}`, name, tenant, scopes, requestsPerMinute: null, expiresAt: null };
}
