import { type Client, DatabaseError } from 'pg';

/** A job of the maintenance worker may hold one of the tables and want another. */
const DEADLOCK = '40P01';
const TRIES = 5;

/** Empties what writers fill, so that each measurement starts with the same, and has no vacuum of earlier rows in it. */
export async function emptyTables(db: Client): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await db.query('TRUNCATE events, event_ids, sessions');
      break;
    } catch (error) {
      if (!(error instanceof DatabaseError && error.code === DEADLOCK) || attempt === TRIES) throw error;
    }
  }
  await db.query('CHECKPOINT');
}
