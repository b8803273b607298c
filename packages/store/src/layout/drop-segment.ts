import { type Kysely, sql } from 'kysely';
import { forget } from './expiring-segments.ts';

/**
 * Drops a detached segment and deletes its notes, in the caller's transaction.
 *
 * @throws what Postgres answered; 55P03 when a reader from before the DETACH has it open for longer
 */
export async function dropSegment(db: Kysely<unknown>, relation: string, lockTimeoutMs: number): Promise<void> {
  await sql.raw(`SET LOCAL lock_timeout = ${lockTimeoutMs}`).execute(db);
  await sql`DROP TABLE ${sql.table(relation)}`.execute(db);
  await forget(db, relation);
}
