import { sql } from 'kysely';
import type { Database } from '../database.ts';
import type { Client } from '../pool.ts';
import { withoutTimeouts } from '../without-timeouts.ts';
import type { ConcurrentIndex } from './migration.ts';

/**
 * Builds an index while its table is written to, outside of any transaction and for as long as that takes. An interrupted
 * build leaves an invalid index, which costs every write and serves no query; the next run drops it and builds it again.
 *
 * @param client holds the lock of the migrations. When this process dies, the server continues to build on this
 *   connection, and the next process waits for the lock until that is done
 * @throws what Postgres answered; an invalid index is left then, for the next run
 */
export async function buildIndex(
  database: Database,
  client: Client,
  { name, definition, unique = false }: ConcurrentIndex,
): Promise<void> {
  const db = database.on(client);
  const { rows } = await sql<{ valid: boolean }>`
    SELECT indisvalid AND indisready AS valid FROM pg_index WHERE indexrelid = to_regclass(${name})`.execute(db);
  if (rows[0]?.valid === true) return;
  await withoutTimeouts(database, client, async () => {
    if (rows[0] !== undefined) await sql`DROP INDEX CONCURRENTLY IF EXISTS ${sql.table(name)}`.execute(db);
    await sql`CREATE ${sql.raw(unique ? 'UNIQUE ' : '')}INDEX CONCURRENTLY ${sql.table(name)} ${sql.raw(definition)}`.execute(
      db,
    );
  });
}
