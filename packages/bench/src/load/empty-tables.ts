import { type Client, DatabaseError } from 'pg';

/** Attempts: a job of the maintenance worker may hold a lock on one of the tables and wait for another. */
const DEADLOCK = '40P01';
const TRIES = 5;

/** Empties the tables that writers fill, so that each measurement starts equal and without a vacuum of earlier rows. */
export async function emptyTables(db: Client): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await db.query('TRUNCATE events, sessions');
      break;
    } catch (error) {
      if (!(error instanceof DatabaseError && error.code === DEADLOCK) || attempt === TRIES) throw error;
    }
  }
  await db.query('CHECKPOINT');
}
