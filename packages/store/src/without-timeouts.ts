import { type Kysely, sql } from 'kysely';
import type { Database } from './database.ts';
import type { Client } from './pool.ts';

/** What is changed for the time of the work. */
const CHANGED = [
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'client_connection_check_interval',
];

/**
 * Runs `work` on a connection without time-outs: an index of a large table takes hours, in which the server is silent.
 * When this process dies, the server ends the statement within a second; without that it would run to its end, with its locks.
 *
 * @param work gets the connection, outside of a transaction
 */
export async function withoutTimeouts(
  database: Database,
  client: Client,
  work: (db: Kysely<unknown>) => Promise<void>,
): Promise<void> {
  const db = database.on(client);
  const { stream } = client.connection;
  const silenceMs = stream.timeout ?? 0;
  stream.setTimeout(0);
  await sql`
    SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false),
           set_config('idle_in_transaction_session_timeout', '0', false),
           set_config('client_connection_check_interval', '1s', false)`.execute(db);
  try {
    await work(db);
  } finally {
    stream.setTimeout(silenceMs);
    // On a broken connection this fails, and there is nothing to reset.
    for (const name of CHANGED)
      await sql
        .raw(`RESET ${name}`)
        .execute(db)
        .catch(() => {});
  }
}
