import { type Kysely, sql } from 'kysely';
import { forget } from './expiring-partitions.ts';

/**
 * Drops a detached partition and deletes its note, in the caller's transaction.
 *
 * @throws what Postgres answered; 55P03 when a reader from before the DETACH has it open for longer
 */
export async function dropPartition(db: Kysely<unknown>, name: string, lockTimeoutMs: number): Promise<void> {
  await sql.raw(`SET LOCAL lock_timeout = ${lockTimeoutMs}`).execute(db);
  await sql`DROP TABLE ${sql.table(name)}`.execute(db);
  await forget(db, name);
}
