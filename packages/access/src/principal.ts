import { SCOPES, type Scope } from './scopes.ts';
import type { StoredKey } from './stored-keys.ts';

/** The tenant of events and requests that name none, with a key of all tenants or without a key. */
export const DEFAULT_TENANT = 'default';

/** Who a request comes from, according to its key. */
export interface Principal {
  /** The key. Limits are counted for it. */
  readonly id: string;
  /** Name in the audit log. */
  readonly name: string;
  /** Whose events it sends, sees and acts on; null for all tenants. */
  readonly tenant: string | null;
  readonly scopes: readonly Scope[];
  /** The key's own limit of requests to the query API; null for RATE_LIMIT_PER_MINUTE, 0 for none. */
  readonly requestsPerMinute: number | null;
  /** The key's own quota at ingest; null for INGEST_RATE_LIMIT, 0 for none. */
  readonly eventsPerSecond: number | null;
  /** Milliseconds since 1970; null for a key that does not expire. */
  readonly expiresAt: number | null;
}

/** The principal of every request when a daemon runs open. Without keys there are no quotas. */
export const ANONYMOUS: Principal = {
  ...configuredPrincipal({ id: 'anonymous', name: 'anonymous', tenant: null, scopes: SCOPES }),
  eventsPerSecond: 0,
};

/** The principal of a key from a variable. Such a key has no limits of its own and does not expire. */
export function configuredPrincipal(known: Pick<Principal, 'id' | 'name' | 'tenant' | 'scopes'>): Principal {
  return { ...known, requestsPerMinute: null, eventsPerSecond: null, expiresAt: null };
}

/** The principal of a stored key. The id tells apart keys with the same name, also a name in OPERATOR_KEYS. */
export function principalOf(key: StoredKey): Principal {
  const { id, name, tenant, scopes, requestsPerMinute, eventsPerSecond, expiresAt } = key;
  return { id, name: `${name} (${id})`, tenant, scopes, requestsPerMinute, eventsPerSecond, expiresAt };
}
