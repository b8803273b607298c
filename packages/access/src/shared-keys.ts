import { ConfigError } from '@sluice/daemon/config/config-error';
import type { KnownKey } from './key-ring.ts';

/**
 * @param variable that the keys come from
 * @throws ConfigError when one key is given to two owners: whose it is would be a matter of luck
 */
export function refuseSharedKeys<Owner>(
  variable: string,
  known: readonly KnownKey<Owner>[],
  nameOf: (owner: Owner) => string,
): void {
  const owners = new Map(known.map(({ digest, owner }) => [digest.toString('hex'), nameOf(owner)]));
  const problems = known.flatMap(({ digest, owner }) => {
    const other = owners.get(digest.toString('hex'));
    return other === nameOf(owner) ? [] : [`${variable} has a key of ${nameOf(owner)} that is also one of ${other}`];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}
