import { createKeyRing, type KeyRing, type KnownKey, sha256 } from '@sluice/shared/access/key-ring';
import { refuseSharedKeys } from '@sluice/shared/access/shared-keys';

/** Who asks. Every key may operate; what it may see is bounded by its tenant. */
export interface Operator {
  /** Goes into the audit log. */
  readonly name: string;
  /** Whose dead letters it may see and act on; null for all. */
  readonly tenant: string | null;
}

/** Who asks when the query API runs open. */
export const ANONYMOUS: Operator = { name: 'anonymous', tenant: null };

/**
 * @param apiKey the key with every right
 * @param operatorKeys `name:sha256-in-hex` or `name@tenant:sha256-in-hex` each
 * @throws ConfigError when one key is given to two operators
 */
export function parseOperatorKeys(
  apiKey: string | undefined,
  operatorKeys: readonly string[] | undefined,
): KeyRing<Operator> {
  const known: KnownKey<Operator>[] = (operatorKeys ?? []).map((entry) => {
    const [who = '', digest = ''] = entry.split(':');
    const [name = '', tenant = null] = who.split('@');
    return { digest: Buffer.from(digest, 'hex'), owner: { name, tenant } };
  });
  if (apiKey !== undefined) known.push({ digest: sha256(apiKey), owner: { name: 'api-key', tenant: null } });
  refuseSharedKeys('OPERATOR_KEYS', known, ({ name, tenant }) => (tenant === null ? name : `${name}@${tenant}`));
  return createKeyRing(known, apiKey === undefined && operatorKeys === undefined);
}
