import { kyselyOf } from '@sluice/store/kysely-of';
import type { Kysely } from 'kysely';
import type { Orm } from '@sluice/store/orm';

/** For single statements outside of any transaction. */
export function readConnection(orm: Orm): Kysely<unknown> {
  return kyselyOf(orm);
}
