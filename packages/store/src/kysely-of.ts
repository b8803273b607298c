import type { Kysely } from 'kysely';
import type { Orm } from './orm.ts';

/**
 * Kysely over the ORM's pool, for statements outside of a transaction. MikroORM types it by its entities; here
 * statements are SQL, which needs no such types.
 */
export function kyselyOf(orm: Orm): Kysely<unknown> {
  return orm.em.fork().getKysely() as unknown as Kysely<unknown>;
}
