import type { Kysely } from 'kysely';
import type { Orm } from '@sluice/shared/database/orm';

/** For single statements outside of any transaction. */
export function readConnection(orm: Orm): Kysely<unknown> {
  return orm.em.fork().getKysely() as unknown as Kysely<unknown>;
}
