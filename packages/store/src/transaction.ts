import type { Kysely } from 'kysely';
import type { Database } from './database.ts';
import type { Client } from './pool.ts';

/**
 * Runs `work` in one transaction: COMMIT when it resolves, ROLLBACK when it throws.
 *
 * It uses Kysely's own transaction and not `em.transactional`. MikroORM 7.2 begins a Kysely "controlled" transaction, which
 * gives its connection back only after a successful ROLLBACK. On a broken connection the ROLLBACK fails too, and the pool
 * loses a slot forever; after a few outages none is left. See docs/decisions/0004-transactions.md.
 *
 * @param work gets the transaction, and its connection for what only pg's own client can do
 * @throws what `work` threw, also when the rollback after it failed
 */
export async function inTransaction<T>(
  database: Database,
  work: (db: Kysely<unknown>, client: Client) => Promise<T>,
): Promise<T> {
  let failure: { readonly error: unknown } | undefined;
  try {
    return await database.withClient((client) =>
      database
        .on(client)
        .transaction()
        .execute(async (transaction) => {
          try {
            return await work(transaction, client);
          } catch (error) {
            failure = { error };
            // An aborted query may still run. A ROLLBACK sent after it would make Kysely drop the request to cancel it,
            // so first wait until the connection is idle.
            await transaction.getExecutor().provideConnection(async () => {});
            throw error;
          }
        }),
    );
  } catch (error) {
    throw failure === undefined ? error : failure.error;
  }
}
