import { kyselyOf } from '@sluice/shared/database/kysely-of';
import type { Kysely } from 'kysely';
import type { Orm } from '@sluice/shared/database/orm';

/** For single statements outside of any transaction. */
export function readConnection(orm: Orm): Kysely<unknown> {
  return kyselyOf(orm);
}
